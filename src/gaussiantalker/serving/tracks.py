"""A session's sound and pictures as WebRTC tracks, with timestamps from one count of frames."""

import asyncio
from collections import deque
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from gaussiantalker.media.video import encodable
from gaussiantalker.serving.frame_queue import FrameQueue
from gaussiantalker.speaking import AvFrame
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

_PACKET = SAMPLES_PER_FRAME // 2  # samples: packets of Opus are 20 ms long
_SOUND_BITS = 48_000
_EFFORT = "5"  # of 10 that Opus may take, which is a third of the time


class SoundTrack(MediaStreamTrack):
    """The samples of the frames as packets of Opus.

    They are encoded here, because aiortc would resample them first and count their time from the first packet; Opus
    takes 16 kHz as it is, and this time is the frames' own.
    """

    kind = "audio"
    rate = 48_000  # of RTP's timestamps

    def __init__(self, frames: FrameQueue, start: Callable[[], None]) -> None:
        """`start` is called when the connection asks for sound."""
        super().__init__()
        self._frames, self._start = frames, start
        self._packets: deque[av.Packet] = deque()
        self._due = 0.0  # on the loop's clock: when the frame's second packet should leave
        self._codec = av.CodecContext.create("libopus", "w")
        self._codec.sample_rate, self._codec.layout, self._codec.format = SAMPLE_RATE, "mono", "s16"
        self._codec.time_base, self._codec.bit_rate = Fraction(1, SAMPLE_RATE), _SOUND_BITS
        self._codec.options = {"compression_level": _EFFORT}
        self.given = 0  # timestamp of the last packet, from the session's first frame

    async def recv(self) -> av.Packet:
        """The next 20 ms, when they are due. Raises MediaStreamError at the end."""
        self._start()
        clock = asyncio.get_running_loop().time
        if self._packets and not self._frames.waiting:  # with more frames waiting it is late already
            await asyncio.sleep(max(self._due - clock(), 0))
        while not self._packets:
            frame = await anext(self._frames, None)
            if frame is None or self.readyState != "live":
                raise MediaStreamError
            self._due = clock() + _PACKET / SAMPLE_RATE
            self._packets.extend(await asyncio.to_thread(self._encode, frame))
        packet = self._packets.popleft()
        self.given = (packet.pts or 0) * self.rate // SAMPLE_RATE
        return packet

    def _encode(self, frame: AvFrame) -> list[av.Packet]:
        pcm = (np.clip(frame.samples, -1, 1) * 32767).round().astype(np.int16)
        packets = []
        for at in (0, _PACKET):
            piece = av.AudioFrame.from_ndarray(pcm[None, at : at + _PACKET], format="s16", layout="mono")
            piece.sample_rate, piece.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
            piece.pts = frame.index * SAMPLES_PER_FRAME + at
            packets += self._codec.encode(piece)
        return packets


class PictureTrack(MediaStreamTrack):
    """The pictures of the frames; where one is missing the receiver keeps the last on screen."""

    kind = "video"
    rate = 90_000

    def __init__(self, frames: FrameQueue, start: Callable[[], None]) -> None:
        super().__init__()
        self._frames, self._start = frames, start
        self.given = 0  # timestamp of the last picture, from the session's first frame

    async def recv(self) -> av.VideoFrame:
        """The next picture, when it is due. Raises MediaStreamError at the end."""
        self._start()
        async for frame in self._frames:
            if self.readyState != "live":
                break
            if frame.image is not None:
                picture = await asyncio.to_thread(encodable, frame.image)
                picture.pts, picture.time_base = frame.index, Fraction(1, FPS)
                self.given = frame.index * self.rate // FPS
                return picture
        raise MediaStreamError
