"""Where a film jumps to another picture."""

import numpy as np

from gaussiantalker.timing import FPS

_CELLS = 24
LEAST_CHANGE = 16.0  # grey levels by which a cut changes the mean cell of the picture
_TIMES_USUAL = 5.0  # and how much more than its neighbours
_NEIGHBOURS = 6


def thumbnail(image: np.ndarray) -> np.ndarray:  # [24, 24] float32
    """A coarse grey version of uint8 [H, W, 3], from a sample of its pixels."""
    height, width = image.shape[:2]
    rows = np.linspace(0, height - 1, 4 * _CELLS).astype(int)
    columns = np.linspace(0, width - 1, 4 * _CELLS).astype(int)
    grey = image[rows[:, None], columns].mean(-1, dtype=np.float32)
    return grey.reshape(_CELLS, 4, _CELLS, 4).mean((1, 3))


def clock(seconds: float) -> str:
    """m:ss.ss"""
    return f"{int(seconds // 60)}:{seconds % 60:05.2f}"


def find_cuts(changes: np.ndarray) -> list[float]:
    """Seconds of the cuts, from the mean change [N - 1] of the thumbnail from each picture to the next."""
    cuts = []
    for k in np.flatnonzero(changes > LEAST_CHANGE):
        around = np.delete(changes[max(k - _NEIGHBOURS, 0) : k + _NEIGHBOURS + 1], min(k, _NEIGHBOURS))
        if not around.size or changes[k] > _TIMES_USUAL * np.median(around) and changes[k] >= around.max():
            cuts.append(float((k + 1) / FPS))
    return cuts
