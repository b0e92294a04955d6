"""Listening as the papers do: the eight windows about a frame, for a network to make sense of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gaussiantalker import speech
from gaussiantalker.speech.encoder import ROWS_PER_FRAME
from gaussiantalker.speech.projection import fit
from gaussiantalker.speech.windows import CONTEXT_WINDOWS, LOOKAHEADS_MS, PAPERS_LOOKAHEAD_MS, WINDOW_ROWS, Ahead
from gaussiantalker.talker.listener import Listener, RowStream, run, silent_row


@dataclass(frozen=True)
class WindowListener(Listener):
    """Contexts [8, 16, channels] of rows in the principal components of the training clip."""

    projection: speech.Projection
    quiet: np.ndarray  # [channels] what silence becomes in the projection
    ahead_ms: int = PAPERS_LOOKAHEAD_MS

    @property
    def channels(self) -> int:
        return len(self.quiet)

    @property
    def lookahead_ms(self) -> int:
        return self.ahead_ms

    @property
    def ahead(self) -> Ahead:
        return LOOKAHEADS_MS[self.ahead_ms]

    @property
    def own(self) -> int:
        """Which of a frame's eight windows is its own."""
        return CONTEXT_WINDOWS - 1 - self.ahead.frames

    @property
    def last_row(self) -> int:
        """With the papers' look-ahead, row 2 * 3 + 7."""
        return ROWS_PER_FRAME * self.ahead.frames + max(self.ahead.rows, ROWS_PER_FRAME) - 1

    @property
    def silence(self) -> np.ndarray:
        return np.zeros((CONTEXT_WINDOWS, WINDOW_ROWS, self.channels), np.float32)

    @classmethod
    def fit(
        cls,
        encoder: speech.Encoder,
        audio: np.ndarray,
        channels: int = 32,
        lookahead_ms: int = PAPERS_LOOKAHEAD_MS,
    ) -> "WindowListener":
        """A listener for one speaker, from the 16 kHz sound [S] of the training frames."""
        projection = fit(encoder.features(audio), min(channels, encoder.channels))
        return cls(encoder, projection, projection.apply(silent_row(encoder)), lookahead_ms)

    def fading(self, heard: np.ndarray, cut: bool = False) -> np.ndarray:
        after = np.zeros_like(heard)
        kept = self.own + 1 if cut else CONTEXT_WINDOWS
        after[: kept - 1] = heard[1:kept]
        return after

    def stream(self) -> "_ContextStream":
        return _ContextStream(self)

    def hear(self, audio: np.ndarray) -> np.ndarray:
        """Contexts [F, 8, 16, channels] of 16 kHz sound [S], a read-only view (see `speech.contexts_of`)."""
        return speech.contexts_of(self.rows(audio), self.ahead_ms)

    def row_stream(self) -> RowStream:
        return RowStream(self.encoder, self.quiet, self.projection.apply)

    def rows(self, audio: np.ndarray) -> np.ndarray:
        """float32 [2F, channels] of 16 kHz sound [S]."""
        return run(self.row_stream(), audio)

    def arrays(self) -> dict[str, np.ndarray]:
        projection = self.projection
        return {"mean": projection.mean, "basis": projection.basis, "scale": projection.scale, "silence": self.quiet}

    @classmethod
    def from_arrays(
        cls, encoder: speech.Encoder, arrays: dict[str, np.ndarray], facts: dict[str, Any]
    ) -> "WindowListener":
        """As `arrays` and `facts` gave it out."""
        projection = speech.Projection(arrays["mean"], arrays["basis"], arrays["scale"])
        return cls(encoder, projection, arrays["silence"], facts["lookahead_ms"])


class _ContextStream:
    """Contexts of one run of sound: those of `WindowListener.hear`, as they come."""

    def __init__(self, listener: WindowListener):
        self._rows_of_sound, self._ahead = listener.row_stream(), listener.ahead
        # Beyond the ends of the sound rows are zero, and so are whole windows.
        self._rows = np.zeros((WINDOW_ROWS - self._ahead.rows, listener.channels), np.float32)
        self._windows = np.zeros((listener.own, WINDOW_ROWS, listener.channels), np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Contexts [k, 8, 16, C] of the frames that these 16 kHz samples [S] complete."""
        return self._advance(self._rows_of_sound.push(samples))

    def finish(self) -> np.ndarray:
        """The remaining contexts: one for every started frame in all."""
        beyond = max(self._ahead.rows - ROWS_PER_FRAME, 0)
        rows = np.pad(self._rows_of_sound.finish(), ((0, beyond), (0, 0)))
        return self._advance(rows, after=self._ahead.frames)

    def _advance(self, rows: np.ndarray, after: int = 0) -> np.ndarray:
        """Completes windows and then contexts; `after` zero windows follow the last."""
        self._rows = np.concatenate([self._rows, rows])
        # A frame whose own rows have not come may never be, even where its window ends before them.
        unheard = max(ROWS_PER_FRAME - self._ahead.rows, 0)
        count = max(0, (len(self._rows) - WINDOW_ROWS - unheard) // ROWS_PER_FRAME + 1)
        if count:
            windows = sliding_window_view(self._rows, WINDOW_ROWS, axis=0)[::ROWS_PER_FRAME][:count].swapaxes(1, 2)
            self._windows = np.concatenate([self._windows, windows])
            self._rows = self._rows[count * ROWS_PER_FRAME :]
        self._windows = np.pad(self._windows, ((0, after), (0, 0), (0, 0)))
        ready = max(0, len(self._windows) - CONTEXT_WINDOWS + 1)
        if not ready:
            return np.zeros((0, CONTEXT_WINDOWS, *self._windows.shape[1:]), np.float32)
        contexts = np.moveaxis(sliding_window_view(self._windows, CONTEXT_WINDOWS, axis=0), -1, 1)
        self._windows = self._windows[ready:]
        return contexts
