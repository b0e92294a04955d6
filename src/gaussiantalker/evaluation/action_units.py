"""Facial action units guessed from a face tracker's 52 expression scores.

The literature measures action units with OpenFace, whose models no package ships. The scores stand in for them and
are named so: an "AU-proxy error" compares avatars with each other, and is not the papers' AUE.
"""

import numpy as np

from gaussiantalker.capture.blendshapes import NAMES

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


def proxy_error(a: np.ndarray, b: np.ndarray, upper: bool) -> float:
    """Sum over the units of the mean squared difference over frames, between scores [N, 52]; NaN rows do not count."""
    return float(np.nanmean(np.square(intensities(a, upper) - intensities(b, upper)), axis=0).sum())
