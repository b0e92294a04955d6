"""A known head is found again from its landmarks, with its expressions."""

import numpy as np
import pytest

from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.capture.head_fit import _FittedHead, _spread_offsets, fit_head
from gaussiantalker.capture.morphable import MorphableHead, load_head
from gaussiantalker.capture.pose import FilmedHead
from gaussiantalker.geometry import from_yaw_pitch_roll, project, rigid

SIZE, FRAMES = 256, 60
FOCAL = 2.1 * SIZE
ACTED = ("jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUp")


@pytest.fixture(scope="module")
def head() -> MorphableHead:
    return load_head()


@pytest.fixture(scope="module")
def scene(head: MorphableHead) -> dict:
    rng = np.random.default_rng(0)
    time = np.arange(FRAMES) / 25
    identity = np.clip(rng.normal(0, 1, len(head.identity)), -2, 2)
    identity[0] = -1.5
    weights = np.zeros((FRAMES, len(head.expression_names)))
    for k, name in enumerate(ACTED):
        weights[:, head.expression_names.index(name)] = 0.35 * (1 - np.cos((3 + k) * time))
    neutral = head.vertices + np.tensordot(identity, head.identity, 1)
    angles = np.stack([14 * np.sin(2.6 * time), 7 * np.sin(4.1 * time), 3 * np.sin(1.8 * time)], axis=1)
    rotations, translations = from_yaw_pitch_roll(angles), np.tile([0.1, -0.2, 9.0], (FRAMES, 1))
    K = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]])
    landmarks = np.zeros((FRAMES, 478, 2))
    for k, pose in enumerate(rigid(rotations, translations)):
        shape = neutral + np.tensordot(weights[k], head.expression, 1)
        landmarks[k, head.landmarks] = project(head.at_landmarks(shape), pose, K)
    scores = np.zeros((FRAMES, 52))
    for name in ACTED:
        scores[:, NAMES.index(name)] = 0.6 * weights[:, head.expression_names.index(name)] + rng.normal(0, 0.05, FRAMES)
    motion = FilmedHead(FOCAL, np.zeros((468, 3)), rotations, translations, np.zeros(FRAMES))
    noisy = landmarks + rng.normal(0, 0.3, landmarks.shape)
    return {"neutral": neutral, "weights": weights, "landmarks": noisy, "scores": scores, "motion": motion}


@pytest.fixture(scope="module")
def fitted(head: MorphableHead, scene: dict) -> _FittedHead:
    return fit_head(head, scene["motion"], scene["landmarks"], scene["scores"], np.ones(FRAMES, bool), SIZE)


def test_shape_is_found(head: MorphableHead, scene: dict, fitted: _FittedHead) -> None:
    away = np.linalg.norm(fitted.neutral - scene["neutral"], axis=1)
    before = np.linalg.norm(head.vertices - scene["neutral"], axis=1)
    front = scene["neutral"][:, 2] < 0.2
    assert np.median(away[front]) < 0.025 and np.median(away[front]) < 0.3 * np.median(before[front])
    assert np.median(away) < 0.5 * np.median(before), "what is not seen follows what is"
    assert fitted.residual.mean() < 0.7


def test_expressions_are_found(head: MorphableHead, scene: dict, fitted: _FittedHead) -> None:
    assert fitted.expression.min() >= 0 and fitted.expression.max() <= 1
    for name in ACTED:
        k = head.expression_names.index(name)
        assert np.corrcoef(fitted.expression[:, k], scene["weights"][:, k])[0, 1] > 0.97, name
    jaw = head.expression_names.index("jawOpen")
    assert np.abs(fitted.expression[:, jaw] - scene["weights"][:, jaw]).mean() < 0.2
    still = [k for k, name in enumerate(head.expression_names) if name not in ACTED]
    assert fitted.expression[:, still].mean() < 0.03
    assert np.allclose(fitted.usual_expression, fitted.expression.mean(0))


def test_frames_without_a_face_do_no_harm(head: MorphableHead, scene: dict, fitted: _FittedHead) -> None:
    landmarks, found = scene["landmarks"].copy(), np.ones(FRAMES, bool)
    found[20:24], landmarks[20:24] = False, 0
    again = fit_head(head, scene["motion"], landmarks, scene["scores"], found, SIZE)
    assert np.abs(again.vertices - fitted.vertices).max() < 0.05
    assert np.isfinite(again.expression).all()


def test_offsets_spread_and_fade() -> None:
    points = np.array([[0.0, 0, 0], [0.2, 0, 0]])
    offsets = _spread_offsets(np.array([[0.0, 0, 0], [0.1, 0, 0], [5.0, 0, 0]]), points, points + [0, 0.1, 0])
    assert np.allclose(offsets[0], [0, 0.1, 0], atol=1e-6) and offsets[1, 1] > 0.05 and np.abs(offsets[2]).max() < 1e-6
