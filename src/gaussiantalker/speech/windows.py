"""The windows a talker listens to, as the papers cut them (GaussianTalker, audio features; AD-NeRF, section 4)."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from gaussiantalker.errors import GaussianTalkerError

WINDOW_ROWS = 16
CONTEXT_WINDOWS = 8


class Ahead(NamedTuple):
    """Where a frame's future comes from."""

    rows: int  # of 20 ms, by which a window reaches beyond the beginning of its frame
    frames: int  # of 40 ms, by which the last of a frame's windows lies after the frame's own


PAPERS_LOOKAHEAD_MS = 280
LOOKAHEADS_MS = MappingProxyType({0: Ahead(0, 0), 120: Ahead(6, 0), PAPERS_LOOKAHEAD_MS: Ahead(WINDOW_ROWS // 2, 3)})
"""The look-ahead of contexts from the beginning of a frame; 280 ms is the papers'. The encoder's own comes on top."""


def windows(features: np.ndarray, ahead_rows: int = WINDOW_ROWS // 2) -> np.ndarray:
    """[F, 16, C] of rows [2F, C]: window k ends `ahead_rows` after row 2k (rows 2k-8 .. 2k+7 for the papers' 8).

    Rows beyond the ends are zero. A read-only view.
    """
    padded = np.pad(features, ((WINDOW_ROWS - ahead_rows, ahead_rows), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_ROWS, axis=0)[:-1:2].swapaxes(1, 2)


def contexts(windows: np.ndarray, lookahead_frames: int = 3) -> np.ndarray:
    """[F, 8, 16, C] of windows [F, 16, C]: the eight up to `lookahead_frames` ahead (k-4 .. k+3 for the papers' 3).

    Windows beyond the ends are zero. A read-only view: index it by frames before writing. The frame's future that
    enters is 40 ms for each frame of `lookahead_frames`, and 160 ms for the windows' own later half.
    """
    before = CONTEXT_WINDOWS - 1 - lookahead_frames
    padded = np.pad(windows, ((before, lookahead_frames + 1), (0, 0), (0, 0)))
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(padded, CONTEXT_WINDOWS, axis=0)[:-1], -1, 1)


def contexts_of(features: np.ndarray, lookahead_ms: int = PAPERS_LOOKAHEAD_MS) -> np.ndarray:
    """[F, 8, 16, C] of rows [2F, C]: no row later than `lookahead_ms` after the beginning of frame k enters context k.

    Raises GaussianTalkerError for a look-ahead that is not in LOOKAHEADS_MS.
    """
    if lookahead_ms not in LOOKAHEADS_MS:
        known = ", ".join(map(str, LOOKAHEADS_MS))
        raise GaussianTalkerError(f"There is no look-ahead of {lookahead_ms} ms; choose one of {known}.")
    ahead = LOOKAHEADS_MS[lookahead_ms]
    return contexts(windows(features, ahead.rows), ahead.frames)
