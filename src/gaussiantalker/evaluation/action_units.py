"""Facial action units: as OpenFace measured them, or guessed from a face tracker's 52 expression scores.

The literature measures action units with OpenFace, whose models no package ships. Where nobody ran it, the scores
stand in and are named so: an "AU-proxy error" compares avatars with each other, and is not the papers' AUE.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.capture.openface import read_columns
from gaussiantalker.errors import GaussianTalkerError

# Ekman's action units as OpenFace numbers them, and the expression scores that come nearest.
_UPPER = {
    1: ("browInnerUp",),
    2: ("browOuterUpLeft", "browOuterUpRight"),
    4: ("browDownLeft", "browDownRight"),
    5: ("eyeWideLeft", "eyeWideRight"),
    6: ("cheekSquintLeft", "cheekSquintRight"),
    7: ("eyeSquintLeft", "eyeSquintRight"),
    9: ("noseSneerLeft", "noseSneerRight"),
    45: ("eyeBlinkLeft", "eyeBlinkRight"),
}
_LOWER = {
    10: ("mouthUpperUpLeft", "mouthUpperUpRight"),
    12: ("mouthSmileLeft", "mouthSmileRight"),
    14: ("mouthDimpleLeft", "mouthDimpleRight"),
    15: ("mouthFrownLeft", "mouthFrownRight"),
    17: ("mouthShrugLower",),
    20: ("mouthStretchLeft", "mouthStretchRight"),
    23: ("mouthPressLeft", "mouthPressRight"),
    25: ("mouthLowerDownLeft", "mouthLowerDownRight"),
    26: ("jawOpen",),
}
_FULL = 5.0  # OpenFace's intensities go from 0 to 5, the scores from 0 to 1


def intensities(scores: np.ndarray, upper: bool) -> np.ndarray:
    """Proxies [N, 8] of the upper face's units, or [N, 9] of the lower face's, in [0, 5], from scores [N, 52]."""
    units = (_UPPER if upper else _LOWER).values()
    return np.stack([scores[:, [NAMES.index(name) for name in names]].mean(axis=1) for names in units], axis=1) * _FULL


def _read_units(path: str | Path) -> dict[str, np.ndarray]:
    """Intensities of the upper face's units [N, 8] and of the lower face's [N, 9] from OpenFace's csv.

    Raises GaussianTalkerError when a unit is missing.
    """
    units = {part: [f"AU{unit:02d}_r" for unit in table] for part, table in (("upper", _UPPER), ("lower", _LOWER))}
    values = read_columns(path, units["upper"] + units["lower"])
    return {"upper": values[:, : len(_UPPER)], "lower": values[:, len(_UPPER) :]}


def unit_error(a: np.ndarray, b: np.ndarray) -> float:
    """AUE: sum over units of the mean squared difference over frames, between [N, U]; NaN rows do not count."""
    return float(np.nanmean(np.square(a - b), axis=0).sum())


@dataclass(frozen=True)
class OpenFace:
    """What OpenFace saw in the held-out frames: intensities [n, units] of each part of the face."""

    truth: dict[str, np.ndarray]
    render: dict[str, np.ndarray]

    @classmethod
    def read(cls, paths: Sequence[str | Path], capture: Capture) -> "OpenFace":
        """From its tables of truth and render; that of the truth may be of the whole captured video.

        Raises GaussianTalkerError when a table does not fit the held-out frames.
        """
        truth, render = (_read_units(path) for path in paths)
        if len(truth["upper"]) == capture.frames:
            truth = {part: values[capture.train_frames :] for part, values in truth.items()}
        n = capture.frames - capture.train_frames
        for path, table in zip(paths, (truth, render), strict=True):
            if len(table["upper"]) != n:
                raise GaussianTalkerError(
                    f"{path} has {len(table['upper'])} rows for {n} held-out frames: "
                    "run OpenFace on truth.mp4 and render.mp4 of this avatar's folder."
                )
        return cls(truth, render)
