"""Frames on their way to one who watches: a queue that does not grow without end."""

import asyncio
from collections.abc import AsyncIterator

from gaussiantalker.speaking import AvFrame


class FrameQueue(AsyncIterator[AvFrame]):
    """Frames, first in, first out. A reader who falls `most` behind loses the oldest if it `skips`, else its place."""

    def __init__(self, most: int, skips: bool = False) -> None:
        self._frames: asyncio.Queue[AvFrame | None] = asyncio.Queue()
        self._most, self._skips = most, skips
        self.closed = False

    @property
    def waiting(self) -> int:
        """How many frames could be had at once."""
        return self._frames.qsize()

    def put(self, frame: AvFrame) -> None:
        if self.closed:
            return
        if self._frames.qsize() >= self._most:
            if not self._skips:
                self.close()
                return
            self._frames.get_nowait()
        self._frames.put_nowait(frame)

    def close(self) -> None:
        """Ends the iteration, after what is in the queue."""
        if not self.closed:
            self.closed = True
            self._frames.put_nowait(None)

    async def __anext__(self) -> AvFrame:
        frame = await self._frames.get()
        if frame is None:
            self._frames.put_nowait(None)
            raise StopAsyncIteration
        return frame
