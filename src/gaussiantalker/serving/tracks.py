"""A session's sound and pictures as WebRTC tracks, with timestamps from one count of frames."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from gaussiantalker.media.video import encodable
from gaussiantalker.serving.frame_queue import FrameQueue
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

_PACKET = SAMPLES_PER_FRAME // 2  # samples: Opus packets are 20 ms long
Start = Callable[[], Awaitable[None]]


class SoundTrack(MediaStreamTrack):
    """The samples of the frames, 20 ms at a time."""

    kind = "audio"

    def __init__(self, frames: FrameQueue, start: Start) -> None:
        """`start` is awaited when the connection first asks for sound."""
        super().__init__()
        self._frames, self._start = frames, start
        self._packets: deque[tuple[int, np.ndarray]] = deque()  # time in samples, and the samples
        self._due = 0.0  # on the loop's clock: when the frame's second packet should leave

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when they are due. Raises MediaStreamError at the end."""
        await self._start()
        clock = asyncio.get_running_loop().time
        if self._packets:
            await asyncio.sleep(max(self._due - clock(), 0))
        else:
            frame = await anext(self._frames, None)
            if frame is None or self.readyState != "live":
                raise MediaStreamError
            begin = frame.index * SAMPLES_PER_FRAME
            self._packets.extend((begin + at, frame.samples[at : at + _PACKET]) for at in (0, _PACKET))
            self._due = clock() + _PACKET / SAMPLE_RATE
        pts, samples = self._packets.popleft()
        pcm = (np.clip(samples, -1, 1) * 32767).round().astype(np.int16)
        packet = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        packet.sample_rate, packet.pts, packet.time_base = SAMPLE_RATE, pts, Fraction(1, SAMPLE_RATE)
        return packet


class PictureTrack(MediaStreamTrack):
    """The pictures of the frames; where one is missing the receiver keeps the last on screen."""

    kind = "video"

    def __init__(self, frames: FrameQueue, start: Start) -> None:
        super().__init__()
        self._frames, self._start = frames, start

    async def recv(self) -> av.VideoFrame:
        """The next picture, when it is due. Raises MediaStreamError at the end."""
        await self._start()
        async for frame in self._frames:
            if self.readyState != "live":
                break
            if frame.image is not None:
                picture = await asyncio.to_thread(encodable, frame.image)
                picture.pts, picture.time_base = frame.index, Fraction(1, FPS)
                return picture
        raise MediaStreamError
