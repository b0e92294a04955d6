"""Gaze and closure of each eye."""

import numpy as np

from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.capture.eyes import blinks_of, eyeballs, gaze_of
from gaussiantalker.capture.face_mesh import EYES, IRISES
from gaussiantalker.capture.morphable import EYE, load_head
from gaussiantalker.capture.pose import FilmedHead
from gaussiantalker.geometry import from_yaw_pitch_roll, project, rigid

SIZE, FRAMES = 256, 120
FOCAL = 2.1 * SIZE


def look(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, FilmedHead]:
    """Gaze [N, 2] in degrees, and the landmarks, scores and motion of a head whose eyes follow it."""
    rng = np.random.default_rng(seed)
    head = load_head()
    gaze = rng.uniform([-20, -10], [20, 10], (FRAMES, 2)) * (rng.random((FRAMES, 1)) > 0.6)
    rotations = from_yaw_pitch_roll(rng.uniform(-8, 8, (FRAMES, 3)) * [1, 0.3, 0.5])
    translations = np.tile([0.2, 0.1, 9.0], (FRAMES, 1))
    # Those who look at the camera turn their eyes against their head.
    camera = -np.einsum("nij,ni->nj", rotations, translations)
    gaze += np.degrees(np.stack([np.arctan2(-camera[:, 0], -camera[:, 2]), camera[:, 1] / 9], axis=1))
    K = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]])
    turned = from_yaw_pitch_roll(np.c_[gaze, np.zeros(FRAMES)])
    landmarks = np.zeros((FRAMES, 478, 2))
    for iris, (centre, radius) in zip(IRISES, eyeballs(head, head.vertices), strict=True):
        place = centre + 0.9 * radius * turned @ np.array([0, 0, -1.0])
        poses = rigid(rotations, translations)
        landmarks[:, iris] = [project(p[None], pose, K)[0] for p, pose in zip(place, poses, strict=True)]
    scores = np.zeros((FRAMES, 52))
    for name, angle, unit in (
        ("eyeLookOutRight", gaze[:, 0], 24),
        ("eyeLookInLeft", gaze[:, 0], 24),
        ("eyeLookInRight", -gaze[:, 0], 24),
        ("eyeLookOutLeft", -gaze[:, 0], 24),
        ("eyeLookDownRight", gaze[:, 1], 45),
        ("eyeLookDownLeft", gaze[:, 1], 45),
        ("eyeLookUpRight", -gaze[:, 1], 45),
        ("eyeLookUpLeft", -gaze[:, 1], 45),
    ):
        scores[:, NAMES.index(name)] = np.clip(angle, 0, None) / unit
    return gaze, landmarks, scores, FilmedHead(FOCAL, np.zeros((468, 3)), rotations, translations, np.zeros(FRAMES))


def test_gaze_has_the_right_sign_and_size() -> None:
    gaze, landmarks, scores, motion = look()
    head = load_head()
    spheres = eyeballs(head, head.vertices)
    found = gaze_of(landmarks, scores, np.zeros(FRAMES), motion, spheres, SIZE)
    assert found.dtype == np.float32 and np.abs(found - gaze).mean() < 0.5
    noisy = landmarks + np.random.default_rng(1).normal(0, 0.3, landmarks.shape)
    assert np.abs(gaze_of(noisy, scores, np.zeros(FRAMES), motion, spheres, SIZE) - gaze).mean() < 1.5


def test_shut_eyes_keep_their_gaze() -> None:
    gaze, landmarks, scores, motion = look()
    head, blink = load_head(), np.zeros(FRAMES)
    blink[50:54], landmarks[50:54] = 1, 0
    found = gaze_of(landmarks, scores, blink, motion, eyeballs(head, head.vertices), SIZE)
    low, high = np.minimum(found[49], found[54]) - 1e-4, np.maximum(found[49], found[54]) + 1e-4
    assert ((found[50:54] >= low) & (found[50:54] <= high)).all()
    assert np.isfinite(gaze_of(landmarks, scores, np.ones(FRAMES), motion, eyeballs(head, head.vertices), SIZE)).all()


def test_eyeballs_are_found_in_a_fitted_head() -> None:
    head = load_head()
    grown = eyeballs(head, 1.1 * head.vertices)
    for side, ((centre, radius), (other, larger)) in enumerate(zip(eyeballs(head, head.vertices), grown, strict=True)):
        assert (centre[0] > 0) == bool(side) and 0.3 < abs(centre[0]) < 0.4 and 0.15 < radius < 0.21
        assert np.allclose(other, 1.1 * centre, atol=1e-4) and np.isclose(larger, 1.1 * radius)
        mine = head.vertices[(head.regions == EYE) & ((head.vertices[:, 0] > 0) == bool(side))]
        assert np.abs(np.linalg.norm(mine - centre, axis=1) / radius - 1).max() < 0.1


def test_a_wink_is_of_one_eye() -> None:
    rng = np.random.default_rng(0)
    shut = np.zeros((200, 2))
    shut[40:44], shut[90:94, 0], shut[150:154, 1] = 1, 1, 1
    points, scores = np.zeros((200, 478, 2)), np.zeros((200, 52))
    for k, (_, lower, outer, inner) in enumerate(EYES):
        points[:, outer, 0], points[:, inner, 0] = 0, 30
        height = 9 * (1 - 0.9 * shut[:, k]) + rng.normal(0, 0.1, 200)
        points[:, lower, 1] = height[:, None]
        scores[:, NAMES.index(("eyeBlinkRight", "eyeBlinkLeft")[k])] = 0.05 + 0.7 * shut[:, k]
    found = blinks_of(points, scores)
    assert found.shape == (200, 2) and found.min() >= 0 and found.max() <= 1
    assert all(np.corrcoef(found[:, k], shut[:, k])[0, 1] > 0.98 for k in range(2))
    assert found[91, 0] > 0.9 > 0.1 > found[91, 1] and found[151, 1] > 0.9 > 0.1 > found[151, 0]
