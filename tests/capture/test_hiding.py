"""A hand before the mouth is noticed, a mouth that speaks is not."""

import numpy as np
import pytest

from gaussiantalker import pretrained
from gaussiantalker.capture import Capture
from gaussiantalker.capture.face_mesh import load_face_mesh
from gaussiantalker.capture.hiding import hidden_mouths


@pytest.mark.parametrize("skin", [True, False])
def test_a_hand_before_the_mouth_is_noticed(captured: Capture, skin: bool) -> None:
    mesh = load_face_mesh(pretrained.path("face-landmarker"))
    pictures, landmarks = captured.images[:].copy(), captured.tracking.landmarks
    found = captured.tracking.found.copy()
    found[5] = False
    assert not hidden_mouths(pictures, landmarks, found, mesh).any() and not captured.tracking.hidden.any()
    for k in range(20, 32):
        x, y = landmarks[k, 13].astype(int)
        half = int(0.45 * np.linalg.norm(landmarks[k, 33] - landmarks[k, 263]))
        hand = pictures[k, y - half : y + half, x - half : x + half]
        hand[:] = landmarks_colour(pictures[k], landmarks[k]) if skin else (40, 60, 90)
        hand[:, :: max(half // 2, 1)] //= 2  # between the fingers it is dark
    hidden = hidden_mouths(pictures, landmarks, found, mesh)
    assert hidden[20:32].all() and not hidden[:18].any() and not hidden[34:].any()


def landmarks_colour(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What a cheek looks like."""
    x, y = points[50].astype(int)
    return picture[y, x]
