"""Sound in, pictures with their sound out, as soon as the look-ahead is there."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gaussiantalker.speech.encoder import ROWS_PER_FRAME
from gaussiantalker.speech.windows import CONTEXT_WINDOWS, WINDOW_ROWS
from gaussiantalker.talker import Listener
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

if TYPE_CHECKING:
    from gaussiantalker.speaking.avatar import Avatar

AHEAD = 3  # windows after a frame's own among its eight


class AvFrame(NamedTuple):
    """One picture and the 40 ms of sound that go with it."""

    index: int
    image: np.ndarray  # uint8 [H, W, 3]
    samples: np.ndarray  # float32 [640], 16 kHz mono

    @property
    def seconds(self) -> float:
        """When the picture is due, from the start of the performance."""
        return self.index / FPS


class ContextStream:
    """Speech contexts frame by frame from sound that arrives in pieces: those of `speech.contexts`, as they come."""

    def __init__(self, listener: Listener):
        self._rows_of_sound = listener.stream()
        # Beyond the ends of the sound rows are zero, and so are whole windows.
        self._rows = np.zeros((WINDOW_ROWS // 2, listener.channels), np.float32)
        self._windows = np.zeros((CONTEXT_WINDOWS - 1 - AHEAD, WINDOW_ROWS, listener.channels), np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Contexts [k, 8, 16, C] of the frames that these 16 kHz samples [S] complete."""
        return self._advance(self._rows_of_sound.push(samples))

    def finish(self) -> np.ndarray:
        """The remaining contexts: one for every started frame in all."""
        rows = np.pad(self._rows_of_sound.finish(), ((0, WINDOW_ROWS // 2 - ROWS_PER_FRAME), (0, 0)))
        return self._advance(rows, after=AHEAD)

    def _advance(self, rows: np.ndarray, after: int = 0) -> np.ndarray:
        """Completes windows and then contexts; `after` zero windows follow the last."""
        self._rows = np.concatenate([self._rows, rows])
        count = max(0, (len(self._rows) - WINDOW_ROWS) // ROWS_PER_FRAME + 1)
        if count:
            windows = sliding_window_view(self._rows, WINDOW_ROWS, axis=0)[::ROWS_PER_FRAME].swapaxes(1, 2)
            self._windows = np.concatenate([self._windows, windows])
            self._rows = self._rows[count * ROWS_PER_FRAME :]
        self._windows = np.pad(self._windows, ((0, after), (0, 0), (0, 0)))
        ready = max(0, len(self._windows) - CONTEXT_WINDOWS + 1)
        if not ready:
            return np.zeros((0, CONTEXT_WINDOWS, *self._windows.shape[1:]), np.float32)
        contexts = np.moveaxis(sliding_window_view(self._windows, CONTEXT_WINDOWS, axis=0), -1, 1)
        self._windows = self._windows[ready:]
        return contexts


class AvatarStream:
    """One performance: `push` 16 kHz mono samples of any length and get the frames they complete; then `finish`.

    The frames are the same however the sound is divided.
    """

    def __init__(self, avatar: "Avatar"):
        self._avatar = avatar
        self._contexts = ContextStream(avatar.listener)
        self._samples = np.zeros(0, np.float32)
        self._next = 0

    def push(self, samples: np.ndarray) -> list[AvFrame]:
        """The frames whose look-ahead these samples [S] complete."""
        self._samples = np.concatenate([self._samples, np.asarray(samples, np.float32)])
        return self._emit(self._contexts.push(samples))

    def finish(self) -> list[AvFrame]:
        """The remaining frames; the last one's sound is filled up with silence."""
        self._samples = np.pad(self._samples, (0, -len(self._samples) % SAMPLES_PER_FRAME))
        return self._emit(self._contexts.finish())

    def _emit(self, contexts: np.ndarray) -> list[AvFrame]:
        first, self._next = self._next, self._next + len(contexts)
        spoken = len(contexts) * SAMPLES_PER_FRAME
        sound, self._samples = self._samples[:spoken].reshape(-1, SAMPLES_PER_FRAME), self._samples[spoken:]
        images = self._avatar.perform(contexts, first)
        return [
            AvFrame(first + k, image, samples) for k, (image, samples) in enumerate(zip(images, sound, strict=True))
        ]
