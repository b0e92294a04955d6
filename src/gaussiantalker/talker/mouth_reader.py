"""From speech to the mouth code: one person's regression, in closed form."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gaussiantalker.speech.encoder import ROWS_PER_FRAME

PAST_ROWS = 4  # of 20 ms before a frame's first
_GRID = 41  # points of a calibration curve


def read_windows(rows: np.ndarray, future_rows: int) -> np.ndarray:
    """[F, 4 + 1 + future, C] of rows [R, C], a read-only view: the window of frame k is rows 2k .. 2k + 4 + future.

    F is as many as the rows have windows for.
    """
    length = PAST_ROWS + 1 + future_rows
    if len(rows) < length:
        return np.zeros((0, length, rows.shape[1]), rows.dtype)
    return sliding_window_view(rows, length, axis=0)[::ROWS_PER_FRAME].swapaxes(1, 2)


def padded(rows: np.ndarray, future_rows: int) -> np.ndarray:
    """Rows [2F, C] of a sound with the silence before and after them that gives each of its F frames a window."""
    return np.pad(rows, ((PAST_ROWS, future_rows + 1 - ROWS_PER_FRAME), (0, 0)))


def drawn_out(codes: np.ndarray, gain: float) -> np.ndarray:
    """Codes [N, C] so many times as large from a deviation on; smaller ones less, so that a mouth nearly shut stays."""
    return codes * (1 + (gain - 1) * np.minimum(np.abs(codes), 1))


@dataclass(frozen=True)
class Curves:
    """A monotone curve for each of C numbers, which gives them the distribution of others (quantile matching)."""

    heard: np.ndarray  # [GRID, C]
    shown: np.ndarray  # [GRID, C]

    @classmethod
    def matching(cls, heard: np.ndarray, shown: np.ndarray) -> "Curves":
        """From the distribution of `heard` [N, C] to that of `shown` [N, C]."""
        share = np.linspace(0, 1, _GRID)
        return cls(np.quantile(heard, share, axis=0), np.quantile(shown, share, axis=0))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """[N, C] to the same; what lies beyond the curve's ends stays at them."""
        after = np.clip((values[:, None] >= self.heard).sum(axis=1), 1, len(self.heard) - 1)
        low, high = (np.take_along_axis(self.heard, place, axis=0) for place in (after - 1, after))
        share = np.clip((values - low) / np.maximum(high - low, 1e-12), 0, 1)
        low, high = (np.take_along_axis(self.shown, place, axis=0) for place in (after - 1, after))
        return low + share * (high - low)


@dataclass(frozen=True)
class MouthReader:
    """A linear map from windows of speech rows to mouth codes, and the curves that give the codes the person's range.

    Rows are counted from silence and zero in it. Where less than half of a window is speech, the code is drawn towards
    the mouth at rest, which it is, exactly, in a window without any.
    """

    weights: np.ndarray  # float32 [D, C], D the numbers of a window
    curves: Curves
    future_rows: int  # that a window reaches beyond the first row of its frame

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Codes float32 [F, C] of windows [F, 5 + future, channels]."""
        return self.settled(windows.reshape(len(windows), len(self.weights)) @ self.weights, windows)

    def settled(self, guess: np.ndarray, windows: np.ndarray) -> np.ndarray:
        """Codes float32 [F, C] of what the regression makes [F, C] of windows [F, 5 + future, channels]."""
        spoken = (windows != 0).any(axis=2).mean(axis=1)
        return (self.curves(guess) * np.minimum(2 * spoken, 1)[:, None]).astype(np.float32)
