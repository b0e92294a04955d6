"""A head that can take any person's shape and any expression: a mean and linear directions from it (Blanz and Vetter
1999), with teeth, tongue and eyes.

The one that ships with the package is MakeHuman's, CC0, as packed by tools/morphable_head. Who holds a licence for
another model can bring it as a numpy .npz file with these arrays:

| array | shape | what it is |
|---|---|---|
| `vertices` | V, 3 | the mean head; x to the picture's right, y down, z into the head; any origin and unit |
| `triangles` | F, 3 | corners, counter-clockwise seen from outside |
| `regions` | V | what each vertex belongs to, a number of `REGIONS` |
| `identity` | K, V, 3 | directions of shape, each as long as its standard deviation |
| `expression` | E, V, 3 | directions of expression, whose weights run from 0 to 1 |
| `expression_names` | E | ARKit's names where they apply: their scores are the start of the fit |
| `landmarks` | L | numbers of the face landmarker's 478 points; 33 and 263, the outer eye corners, are needed |
| `landmark_vertices` | L, 3 | the three vertices around each of them |
| `landmark_shares` | L, 3 | their shares, which add up to 1 |
| `step` | | optional: whole numbers among the lengths are multiples of it |
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker.capture.face_mesh import OUTER_EYE_CORNERS
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import read_arrays

REGIONS = ("skin", "hair", "neck", "eye", "mouth", "teeth", "tongue", "socket")
SKIN, HAIR, NECK, EYE, MOUTH, TEETH, TONGUE, SOCKET = range(len(REGIONS))
INSIDE_MOUTH = (MOUTH, TEETH, TONGUE)
PACKED = Path(__file__).parent / "morphable_head.npz"
PACKED_LICENCE = "CC0 1.0 (MakeHuman)"
_LANDMARKS = 478  # of the face landmarker
_LENGTHS = ("vertices", "identity", "expression")
_KINDS = {"expression_names": "U"} | dict.fromkeys(("triangles", "regions", "landmarks", "landmark_vertices"), "iu")
_ARRAYS = (*_LENGTHS, "triangles", "regions", "expression_names", "landmarks", "landmark_vertices", "landmark_shares")


@dataclass(frozen=True)
class MorphableHead:
    """Mean, directions and meaning of a head, in head units: outer eye corners 1 apart, origin between them."""

    vertices: np.ndarray  # [V, 3]
    triangles: np.ndarray  # [F, 3] int
    regions: np.ndarray  # [V] int8, numbers of REGIONS
    identity: np.ndarray  # [K, V, 3]
    expression: np.ndarray  # [E, V, 3]
    expression_names: tuple[str, ...]
    landmarks: np.ndarray  # [L] int
    landmark_vertices: np.ndarray  # [L, 3] int
    landmark_shares: np.ndarray  # [L, 3]

    def at_landmarks(self, field: np.ndarray) -> np.ndarray:
        """Values [..., V, 3] of a field over the vertices at the landmarks [..., L, 3]."""
        return (field[..., self.landmark_vertices, :] * self.landmark_shares[:, :, None]).sum(-2)


def load_head(path: Path = PACKED) -> MorphableHead:
    """Raises GaussianTalkerError when the file is not laid out as above."""
    found = read_arrays(path)
    for name in _ARRAYS:
        kinds = _KINDS.get(name, "fiu")
        if name not in found or found[name].dtype.kind not in kinds or not found[name].size:
            raise GaussianTalkerError(f"{path} is not a morphable head: it lacks {name}; see docs/capture.md.")
        if kinds != "U" and not np.isfinite(found[name]).all():
            raise GaussianTalkerError(f"{path} is not a morphable head: {name} holds values that are not finite.")
    arrays: dict[str, Any] = {name: found[name] for name in _ARRAYS}
    step = _step(path, found.get("step", np.array(1.0)))
    for name in _LENGTHS:
        exact = np.issubdtype(arrays[name].dtype, np.integer)
        arrays[name] = arrays[name].astype(np.float32) * np.float32(step if exact else 1)
    for name in ("triangles", "landmarks", "landmark_vertices"):
        arrays[name] = arrays[name].astype(np.int32)
    arrays["regions"] = arrays["regions"].astype(np.int8)
    arrays["landmark_shares"] = arrays["landmark_shares"].astype(np.float32)
    _check(path, arrays)
    arrays["expression_names"] = tuple(arrays["expression_names"].tolist())
    return _placed(path, MorphableHead(**arrays))


def _step(path: Path, found: np.ndarray) -> float:
    """What whole numbers of lengths are multiplied with."""
    if found.ndim or found.dtype.kind not in "fiu" or not 0 < float(found) < np.inf:
        raise GaussianTalkerError(f"{path} is not a morphable head: step must be one number above 0.")
    return float(found)


def _check(path: Path, arrays: dict) -> None:
    for name in _ARRAYS:
        if np.ndim(arrays[name]) < 1:
            raise GaussianTalkerError(f"{path} is not a morphable head: {name} is a single number.")
    count, points = len(arrays["vertices"]), len(arrays["landmarks"])
    shapes = {
        "vertices": (count, 3),
        "triangles": (len(arrays["triangles"]), 3),
        "regions": (count,),
        "identity": (len(arrays["identity"]), count, 3),
        "expression": (len(arrays["expression"]), count, 3),
        "expression_names": (len(arrays["expression"]),),
        "landmarks": (points,),
        "landmark_vertices": (points, 3),
        "landmark_shares": (points, 3),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise GaussianTalkerError(f"{path} is not a morphable head: {name} is {arrays[name].shape}, not {shape}.")
    if len(np.unique(arrays["expression_names"])) < len(arrays["expression"]):
        raise GaussianTalkerError(f"{path} is not a morphable head: two of its expression_names are the same.")
    limits = {"triangles": count, "landmark_vertices": count, "regions": len(REGIONS), "landmarks": _LANDMARKS}
    for name, most in limits.items():
        if arrays[name].size and not 0 <= arrays[name].min() <= arrays[name].max() < most:
            raise GaussianTalkerError(f"{path} is not a morphable head: {name} must lie between 0 and {most - 1}.")
    if not np.isin(OUTER_EYE_CORNERS, arrays["landmarks"]).all():
        raise GaussianTalkerError(
            f"{path} is not a morphable head: landmarks 33 and 263, the eye corners, are missing."
        )


def _placed(path: Path, head: MorphableHead) -> MorphableHead:
    """The same head with the outer eye corners of its mean where the convention wants them."""
    points = dict(zip(head.landmarks.tolist(), head.at_landmarks(head.vertices), strict=True))
    left, right = (points[k] for k in OUTER_EYE_CORNERS)
    apart = float(np.linalg.norm(right - left))
    if not 0 < apart < np.inf:
        raise GaussianTalkerError(f"{path} is not a morphable head: its eye corners are {apart:g} apart.")
    scale = 1 / apart
    return replace(
        head,
        vertices=(head.vertices - (left + right) / 2) * scale,
        identity=head.identity * scale,
        expression=head.expression * scale,
    )
