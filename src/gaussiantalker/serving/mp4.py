"""A session as an mp4 that goes on and on: for those whom WebRTC does not reach, since it needs no UDP."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing
from fractions import Fraction
from time import perf_counter

import av
import numpy as np
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gaussiantalker.media.video import encodable
from gaussiantalker.serving.encoder import highest_rate, set_up
from gaussiantalker.serving.session import Session
from gaussiantalker.speaking import SYNTHETIC, AvFrame
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

_FRAGMENT = 200_000  # microseconds
_SOUND_BITS = 64_000


class _Pipe:
    """What the muxer writes to: bytes that are taken away after every frame. It cannot seek, like a connection."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class _LiveMp4:
    """Fragmented mp4 of frames as they come, H.264 with AAC; its metadata say that it is AI-generated."""

    def __init__(self, width: int, height: int) -> None:
        self._pipe = _Pipe()
        # The head comes after the first packets, which is when the muxer knows by how much AAC is late.
        # A table of all fragments, for the end that never comes, would grow for ever.
        flags = "delay_moov+default_base_moof+skip_trailer"
        options = {"movflags": flags, "frag_duration": str(_FRAGMENT), "flush_packets": "1"}
        self._container = av.open(self._pipe, "w", format="mp4", options=options)
        self._container.metadata["comment"] = SYNTHETIC
        self._video = self._container.add_stream("libx264", rate=FPS)
        set_up(self._video.codec_context, width, height, highest_rate(width, height), g=str(FPS))
        self._audio = self._container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        self._audio.bit_rate = _SOUND_BITS
        self._first: int | None = None
        self._image: np.ndarray | None = None

    def add(self, frame: AvFrame) -> bytes:
        """Encodes a frame; returns the bytes that are ready, often none. A missing picture is the one before."""
        self._image = self._image if frame.image is None else frame.image
        if self._image is None:
            return b""
        if self._first is None:
            self._first = frame.index
        count = frame.index - self._first
        picture = encodable(self._image)
        picture.pts, picture.time_base = count, Fraction(1, FPS)
        self._container.mux(self._video.encode(picture))
        sound = av.AudioFrame.from_ndarray(np.clip(frame.samples, -1, 1)[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts = SAMPLE_RATE, count * SAMPLES_PER_FRAME
        sound.time_base = Fraction(1, SAMPLE_RATE)
        self._container.mux(self._audio.encode(sound))
        return self._pipe.take()

    def close(self) -> None:
        self._container.close()


class LiveMp4Response(StreamingResponse):
    """A session as the answer to a request. It has a viewer's place from the beginning."""

    def __init__(self, session: Session) -> None:
        """Raises Problem when the session has no place left."""
        self._resources = ExitStack()
        self._resources.enter_context(session.place())
        self._pieces = _live_mp4(session)
        super().__init__(self._pieces, media_type="video/mp4", headers={"Cache-Control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._resources:
            async with aclosing(self._pieces):
                await super().__call__(scope, receive, send)


async def _live_mp4(session: Session) -> AsyncGenerator[bytes]:
    """The stream's bytes until the session ends or nobody reads them any more. Encoding has a thread to itself."""
    camera, loop = session.avatar.camera, asyncio.get_running_loop()
    movie = _LiveMp4(camera.width, camera.height)
    encoder = ThreadPoolExecutor(1, "mp4")
    try:
        with session.watch() as frames:
            async for frame in frames:
                began = perf_counter()
                data = await loop.run_in_executor(encoder, movie.add, frame)
                session.encoded(perf_counter() - began)
                if data:
                    yield data
    finally:
        encoder.submit(movie.close)  # in that thread, since a frame may still be on its way through it
        encoder.shutdown(wait=False)
