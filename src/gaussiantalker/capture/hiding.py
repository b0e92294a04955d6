"""Frames in which a hand or something else is before the mouth, so that its landmarks are guesses.

Landmark networks draw a mouth where none is to be seen. Looked at along the landmarks, the skin and the lips around
the mouth show the same picture in every frame of a film, however the lips move; where they do not, something is before
them.
"""

import cv2
import numpy as np

from gaussiantalker.capture.arrays import ArrayReader, spread
from gaussiantalker.capture.face_mesh import INNER_LIP_RING, INNER_LIPS, OUTER_EYE_CORNERS, FaceMesh
from gaussiantalker.capture.parallel import in_order

_AROUND = 0.55  # head units from the middle of the mouth
_NOSE_BASE = 2
_BLUR = 0.02  # in inter-ocular distances on the picture
_REFERENCE_FRAMES = 200
# Correlation with the film's usual picture: on nine clips at least 0.79 in every frame, and with a hand 0.7 at most.
_LEAST = 0.72
_BESIDE = 2  # frames before and after, in which the hand comes and goes
_TOGETHER = 32


def hidden_mouths(frames: ArrayReader, landmarks: np.ndarray, found: np.ndarray, mesh: FaceMesh) -> np.ndarray:
    """Whether something hides the mouth in each frame, bool [N], from landmarks [N, 478, 2] that are `found` [N]."""
    corners = _around_mouth(mesh)
    seen = np.flatnonzero(found)
    some = seen[spread(len(seen), _REFERENCE_FRAMES)]
    usual = _normal(np.median(np.stack([_look(frames, landmarks, corners, k) for k in some]), axis=0))

    def agreement(part: np.ndarray) -> np.ndarray:
        return np.array([float(_look(frames, landmarks, corners, k) @ usual) for k in part]) / len(corners)

    parts = np.split(seen, range(_TOGETHER, len(seen), _TOGETHER))
    hidden = np.zeros(len(found), bool)
    hidden[seen] = np.concatenate([*in_order(agreement, parts)]) < _LEAST
    for k in np.flatnonzero(hidden):
        hidden[max(k - _BESIDE, 0) : k + _BESIDE + 1] = True
    return hidden & found


def _around_mouth(mesh: FaceMesh) -> np.ndarray:  # [P, 3] int
    """Triangles of skin and lips around the mouth, without the inside of it."""
    middles = mesh.vertices[mesh.triangles].mean(1)
    mouth = mesh.vertices[list(INNER_LIPS)].mean(0)
    near = np.linalg.norm((middles - mouth)[:, :2], axis=1) < _AROUND
    below = mesh.vertices[mesh.triangles][..., 1].min(1) > mesh.vertices[_NOSE_BASE, 1] - _AROUND / 10
    inside = np.isin(mesh.triangles, INNER_LIP_RING).all(1)
    return mesh.triangles[near & below & ~inside]


def _look(frames: ArrayReader, landmarks: np.ndarray, corners: np.ndarray, k: int) -> np.ndarray:  # [P] float32
    """Brightness in the middle of each triangle, without its mean and in units of its spread."""
    points = landmarks[k, corners].mean(1)
    unit = float(np.linalg.norm(np.subtract(*landmarks[k, list(OUTER_EYE_CORNERS)])))
    picture = frames[int(k)]
    margin = 0.1 * unit + 2
    low = np.clip(points.min(0) - margin, 0, np.array(picture.shape[1::-1]) - 2).astype(int)
    high = np.maximum(np.ceil(points.max(0) + margin).astype(int), low + 2)
    part = picture[low[1] : high[1], low[0] : high[0]].astype(np.float32).mean(-1)
    part = cv2.GaussianBlur(part, (0, 0), max(_BLUR * unit, 0.5))
    at = (points - low - 0.5).astype(np.float32)[:, None]
    return _normal(cv2.remap(part, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0])


def _normal(values: np.ndarray) -> np.ndarray:
    values = values - values.mean()
    return values / max(float(values.std()), 1e-3)
