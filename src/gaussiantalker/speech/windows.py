"""The windows a talker listens to, as the papers cut them (GaussianTalker, audio features; AD-NeRF, section 4)."""

import numpy as np

WINDOW_ROWS = 16
CONTEXT_WINDOWS = 8


def windows(features: np.ndarray) -> np.ndarray:
    """[F, 16, C] of rows [2F, C]: window k holds the rows 2k-8 .. 2k+7, zero beyond the ends. A read-only view."""
    half = WINDOW_ROWS // 2
    padded = np.pad(features, ((half, half), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_ROWS, axis=0)[:-1:2].swapaxes(1, 2)


def contexts(windows: np.ndarray, lookahead_frames: int = 3) -> np.ndarray:
    """[F, 8, 16, C] of windows [F, 16, C]: the eight up to `lookahead_frames` ahead (k-4 .. k+3 for the papers' 3).

    Windows beyond the ends are zero. A read-only view: index it by frames before writing. The frame's future that
    enters is 40 ms for each frame of `lookahead_frames`, and 160 ms for the windows' own later half.
    """
    before = CONTEXT_WINDOWS - 1 - lookahead_frames
    padded = np.pad(windows, ((before, lookahead_frames + 1), (0, 0), (0, 0)))
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(padded, CONTEXT_WINDOWS, axis=0)[:-1], -1, 1)
