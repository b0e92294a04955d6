"""Whether the arrays of a capture are what they should be: of the right shape, finite, and in range."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker.capture.morphable import REGIONS
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import Camera

REMEDY = "run the same capture command again with --force"
_NOT_A_ROTATION = 1e-3  # by which a row's length, or two rows' product, may be off


@dataclass(frozen=True)
class _Rule:
    """What an array must be. Letters stand for lengths that must be the same wherever they occur."""

    shape: tuple[int | str, ...]
    kinds: str = "f"  # numpy's: f floats, i integers, b booleans
    low: float = -np.inf
    high: float = np.inf


_SHARE: dict[str, Any] = {"low": -1e-4, "high": 1 + 1e-4}
RULES = {
    "landmarks": _Rule(("N", 478, 2)),
    "found": _Rule(("N",), "b"),
    "blendshapes": _Rule(("N", 52), **_SHARE),
    "blink": _Rule(("N",), **_SHARE),
    "blink_right": _Rule(("N",), **_SHARE),
    "blink_left": _Rule(("N",), **_SHARE),
    "lip_opening": _Rule(("N",), low=0, high=100),
    "rotations": _Rule(("N", 3, 3)),
    "translations": _Rule(("N", 3)),
    "vertices": _Rule((468, 3)),
    "triangles": _Rule(("F", 3), "iu", 0, 467),
    "points": _Rule(("P", 3)),
    "colors": _Rule(("P", 3), **_SHARE),
    "regions": _Rule(("P",), "iu", 0, len(REGIONS) - 1),
    "expression": _Rule(("N", "E"), **_SHARE),
    "gaze": _Rule(("N", 2)),
    "hidden": _Rule(("N",), "b"),
}
# Of the head that was fitted, which only its report shows.
_HEAD_RULES = {
    "head_vertices": _Rule(("V", 3)),
    "head_triangles": _Rule(("T", 3), "iu", 0),
    "head_regions": _Rule(("V",), "iu", 0, len(REGIONS) - 1),
    "head_units": _Rule(("U", "V", 3)),
    "identity": _Rule(("K",)),
    "usual_expression": _Rule(("E",)),
    "residual": _Rule(("N",)),
}


def check_arrays(path: Path, arrays: dict[str, np.ndarray], frames: int) -> None:
    """Raises GaussianTalkerError naming the first of these arrays of `frames` frames that breaks its rule."""
    lengths = {"N": frames}
    for name, rule in (RULES | _HEAD_RULES).items():
        array = arrays.get(name)
        if array is None and name in _HEAD_RULES:
            continue
        if array is None:
            raise GaussianTalkerError(f"{path} lacks {name}; {REMEDY}.")
        wanted = tuple(lengths.setdefault(n, m) if isinstance(n, str) else n for n, m in _named(rule, array))
        if array.shape != wanted or not array.size:
            raise GaussianTalkerError(f"{path}: {name} has the shape {array.shape}, not {wanted}; {REMEDY}.")
        if array.dtype.kind not in rule.kinds:
            raise GaussianTalkerError(f"{path}: {name} holds {array.dtype}, not what belongs there; {REMEDY}.")
        if rule.kinds == "f" and not np.isfinite(array).all():
            raise GaussianTalkerError(f"{path}: {name} holds values that are not finite; {REMEDY}.")
        if rule.kinds != "b" and not rule.low <= array.min() <= array.max() <= rule.high:
            raise GaussianTalkerError(f"{path}: {name} must lie between {rule.low:g} and {rule.high:g}; {REMEDY}.")
    products = arrays["rotations"] @ np.swapaxes(arrays["rotations"], 1, 2)
    if np.abs(products - np.eye(3)).max() > _NOT_A_ROTATION or (np.linalg.det(arrays["rotations"]) < 0).any():
        raise GaussianTalkerError(f"{path}: rotations holds matrices that are not rotations; {REMEDY}.")
    if (arrays["translations"][:, 2] <= 0).any():
        raise GaussianTalkerError(f"{path}: translations has a head behind the camera; {REMEDY}.")


def _named(rule: _Rule, array: np.ndarray) -> list[tuple[int | str, int]]:
    """The rule's lengths, each with the array's own; -1 where the array has fewer axes."""
    return [(n, array.shape[k] if k < array.ndim else -1) for k, n in enumerate(rule.shape)]


def checked_camera(path: Path, facts: Any) -> Camera:
    """The camera in a record. Raises GaussianTalkerError when it is none."""
    try:
        camera = Camera(**facts["camera"])
        numbers = (camera.focal, camera.cx, camera.cy, camera.width, camera.height)
        if not all(isinstance(value, int | float) and 0 < value < 1e6 for value in numbers):
            raise ValueError("numbers out of range")
    except (KeyError, TypeError, ValueError) as error:
        raise GaussianTalkerError(f"{path} holds no camera ({error}); {REMEDY}.") from None
    return camera
