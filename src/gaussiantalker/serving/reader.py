"""Reads texts aloud into a session: each after the other, a piece of speech as soon as it is made."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speaking import AvatarStream
from gaussiantalker.voice import Voice

_AHEAD = 20.0  # seconds of speech that wait, beyond which no more is made
_PATIENCE = 0.2  # seconds between looks at how much waits

_log = logging.getLogger(__name__)


class Reader:
    """Lives on the event loop; the voice speaks in a thread of the executor."""

    def __init__(self, voice: Voice, stream: AvatarStream, executor: Executor, failed: Callable[[str], None]) -> None:
        """`failed` is called with a sentence for a text that could not be read."""
        self._voice, self._stream, self._executor, self._failed = voice, stream, executor, failed
        self._reading: asyncio.Task | None = None
        self.waiting = 0  # texts that have not been made into speech to their end

    def read(self, text: str) -> None:
        """Begins to read the text, after those before it."""
        self.waiting += 1
        self._reading = asyncio.create_task(self._read(text, self._reading))

    def break_off(self) -> None:
        """Forgets all texts; what a voice is about to make of one is not heard any more."""
        self.waiting = 0
        if self._reading:
            self._reading.cancel()
            self._reading = None

    async def _read(self, text: str, before: asyncio.Task | None) -> None:
        if before:
            await before
        loop, pieces = asyncio.get_running_loop(), self._voice.say(text)
        try:
            while (piece := await loop.run_in_executor(self._executor, next, pieces, None)) is not None:
                self._stream.push_audio(piece, self._voice.rate)
                while self._stream.buffered > _AHEAD:
                    await asyncio.sleep(_PATIENCE)
        except GaussianTalkerError as error:
            self._failed(str(error))
        except Exception:
            _log.exception("A text could not be read.")
            self._failed("The voice failed; the server's log says why.")
        self._stream.end_segment()
        self.waiting -= 1
