"""Speech contexts frame by frame from sound that arrives in pieces."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gaussiantalker.speech import Gate
from gaussiantalker.speech.encoder import ROWS_PER_FRAME, SAMPLES_PER_ROW
from gaussiantalker.speech.windows import CONTEXT_WINDOWS, LOOKAHEADS_MS, WINDOW_ROWS, Ahead
from gaussiantalker.talker import Listener
from gaussiantalker.timing import SAMPLE_RATE, SAMPLES_PER_FRAME


def lookahead(listener: Listener) -> int:
    """Samples after the beginning of a frame by which its context is out: the frame's own 640 and all that follow.

    The last row that enters context k is, with the papers' look-ahead, row 2 (k + 3) + 7, and at least the frame's own
    second. It waits for its encoder, or for the gate if that is later.
    """
    ahead = _ahead(listener)
    last_row = ROWS_PER_FRAME * ahead.frames + max(ahead.rows, ROWS_PER_FRAME) - 1
    encoder = SAMPLES_PER_ROW * last_row + round(listener.encoder.lookahead_ms * SAMPLE_RATE / 1000)
    gate = SAMPLES_PER_FRAME * (last_row // ROWS_PER_FRAME + 1 + Gate.lookahead_frames)
    return max(encoder, gate)


def own(listener: Listener) -> int:
    """Which of a frame's eight windows is its own."""
    return CONTEXT_WINDOWS - 1 - _ahead(listener).frames


def _ahead(listener: Listener) -> Ahead:
    return LOOKAHEADS_MS[listener.lookahead_ms]


def silence(listener: Listener) -> np.ndarray:
    """The context [8, 16, C] of a frame with no speech near it."""
    return np.zeros((CONTEXT_WINDOWS, WINDOW_ROWS, listener.channels), np.float32)


def fading(listener: Listener, context: np.ndarray, cut: bool = False) -> np.ndarray:
    """The context [8, 16, C] one frame after this one when no speech follows: a mouth that comes to rest.

    After a `cut` what was still to be said is forgotten as well.
    """
    after = np.zeros_like(context)
    kept = own(listener) + 1 if cut else CONTEXT_WINDOWS
    after[: kept - 1] = context[1:kept]
    return after


class ContextStream:
    """Contexts of one run of sound: those of `Listener.contexts`, as they come."""

    def __init__(self, listener: Listener):
        self._rows_of_sound, self._ahead = listener.stream(), _ahead(listener)
        # Beyond the ends of the sound rows are zero, and so are whole windows.
        self._rows = np.zeros((WINDOW_ROWS - self._ahead.rows, listener.channels), np.float32)
        self._windows = np.zeros((own(listener), WINDOW_ROWS, listener.channels), np.float32)

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
