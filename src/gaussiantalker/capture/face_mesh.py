"""The geometry behind the 478 landmarks: a canonical face in three dimensions, and which points are which.

The mesh ships inside face_landmarker.task (Apache-2.0) as a protocol-buffer message. In head axes: x to the picture's
right, y down, z into the head.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker.capture.landmarker import read_task

_FIXED = {1: 8, 5: 4}  # bytes of a field by the wire type in protocol buffers
MESH_POINTS = 468
OUTER_EYE_CORNERS = (33, 263)
INNER_LIPS = (13, 14)
# Upper lid, lower lid, outer corner, inner corner of the right and the left eye.
EYES = (((158, 159, 160), (153, 145, 144), 33, 133), ((385, 386, 387), (380, 374, 373), 263, 362))
IRISES = (468, 473)  # middle of the iris of the right and the left eye
LIDS = (
    (7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246),
    (249, 263, 362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 466),
)
OUTLINE = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
INNER_LIP_RING = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)


@dataclass(frozen=True)
class FaceMesh:
    """The canonical face, in head units (outer eye corners 1 apart, origin between them)."""

    vertices: np.ndarray  # [468, 3]
    triangles: np.ndarray  # [898, 3] int32, counter-clockwise seen from outside
    rigid: np.ndarray  # [468] in [0, 1]: how little each point moves with expression


def load_face_mesh(task: Path) -> FaceMesh:
    """The canonical mesh inside a face_landmarker.task bundle."""
    message = read_task(task)["geometry_pipeline_metadata_landmarks.binarypb"]
    mesh = next(value for field, value in _fields(message) if field == 1)
    numbers, corners = [], []
    for field, value in _fields(mesh):
        if field == 3:
            numbers.append(value)
        elif field == 4:
            corners.append(value)
    # Five numbers a vertex, of which the last two are texture coordinates; centimetres, y up, z to the viewer.
    raw = np.frombuffer(b"".join(numbers), "<f4").reshape(-1, 5)[:, :3].astype(np.float64) * (1, -1, -1)
    left, right = raw[OUTER_EYE_CORNERS[0]], raw[OUTER_EYE_CORNERS[1]]
    vertices = (raw - (left + right) / 2) / np.linalg.norm(right - left)
    return FaceMesh(vertices, np.array(corners, np.int32).reshape(-1, 3), _rigid(vertices))


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers and raw values of a protocol-buffer message: numbers, and bytes. Raises ValueError for fields of a
    kind that is no more in use, whose length nothing tells."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2 or kind in _FIXED:
            length, at = (_FIXED[kind], at) if kind in _FIXED else _varint(data, at)
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"wire type {kind}")
        yield number, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _rigid(vertices: np.ndarray) -> np.ndarray:  # [468]
    """Forehead, nose and eye corners are bone; brows, lids, mouth and jaw are not.

    The outline counts for nothing: its landmarks stay on the silhouette, not on the skin, when the head turns.
    """
    x, y = vertices[:, 0], vertices[:, 1]
    nose_base = vertices[2, 1]
    rigid = (y < nose_base + 0.05).astype(np.float64)
    brows = (y > vertices[105, 1] - 0.12) & (y < vertices[52, 1] + 0.1) & (np.abs(x) > 0.1)
    cheeks = (y > vertices[195, 1]) & (np.abs(x) > 0.22)
    rigid[brows | cheeks] = 0.5
    rigid[np.abs(x) > 0.6] = 0.0
    rigid[list(OUTLINE)] = 0.0
    rigid[np.array(LIDS).ravel()] = 0.0
    rigid[[33, 133, 263, 362]] = 0.5
    return rigid
