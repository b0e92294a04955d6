"""What the eyes do: how far each is closed, and where they look."""

from collections.abc import Sequence

import numpy as np

from gaussiantalker.capture.arrays import bridge
from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.capture.face_mesh import EYES, IRISES
from gaussiantalker.capture.morphable import EYE, MorphableHead
from gaussiantalker.capture.pose import FilmedHead

BLINKS = (NAMES.index("eyeBlinkRight"), NAMES.index("eyeBlinkLeft"))
# Names of the scores of eyes turned to the person's right, left, down and up.
_RIGHT, _LEFT = ("eyeLookOutRight", "eyeLookInLeft"), ("eyeLookInRight", "eyeLookOutLeft")
_DOWN, _UP = ("eyeLookDownRight", "eyeLookDownLeft"), ("eyeLookUpRight", "eyeLookUpLeft")
_DEGREES = (24.0, 45.0)  # that a score of 1 means sideways and up or down, on heads whose gaze is known
_IRIS_DEPTH = 0.9  # distance of the iris from the middle of the eyeball, in radii
_SHUT = 0.4


def eye_opening(points: np.ndarray) -> np.ndarray:  # [N, 2]
    """Height over width of the right and the left eye (Soukupova and Cech 2016)."""
    ratios = []
    for upper, lower, outer, inner in EYES:
        height = np.linalg.norm(points[:, upper] - points[:, lower], axis=-1).mean(-1)
        ratios.append(height / np.linalg.norm(points[:, outer] - points[:, inner], axis=-1))
    return np.stack(ratios, axis=1)


def blink_of(points: np.ndarray, scores: np.ndarray) -> np.ndarray:  # [N] float32 in [0, 1]
    """How far the eyes are closed: expression score and eye shape of both, see `_closure`."""
    return _closure(scores[:, BLINKS].mean(1), eye_opening(points).mean(1))


def blinks_of(points: np.ndarray, scores: np.ndarray) -> np.ndarray:  # [N, 2] float32 in [0, 1]
    """The same for the person's right and left eye, each by itself."""
    openness = eye_opening(points)
    return np.stack([_closure(scores[:, BLINKS[k]], openness[:, k]) for k in range(2)], axis=1)


def _closure(score: np.ndarray, openness: np.ndarray) -> np.ndarray:  # [N] float32 in [0, 1]
    """Expression score and eye shape [N], each between this person's open and shut.

    Open is the clip's usual state; shut is what its strongest blinks reach, or the usual value of a shut eye when
    nobody blinks.
    """
    open_score, open_ratio = np.percentile(score, 25), np.percentile(openness, 60)
    by_score = (score - open_score) / max(np.percentile(score, 99.5) - open_score, 0.45)
    by_ratio = (open_ratio - openness) / max(open_ratio - np.percentile(openness, 0.5), 0.5 * open_ratio)
    # Below a tenth lie gaze and noise, not blinks.
    both = 0.5 * (np.clip(by_score, 0, 1) + np.clip(by_ratio, 0, 1))
    return np.clip((both - 0.1) / 0.8, 0, 1).astype(np.float32)


def eyeballs(head: MorphableHead, vertices: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Centre and radius of the person's right and left eyeball of a head's vertices [V, 3]."""
    spheres = []
    for side in (-1, 1):
        points = vertices[(head.regions == EYE) & (side * vertices[:, 0] > 0)]
        if len(points) < 4:
            spheres.append((np.array([0.34 * side, 0.0, 0.08]), 0.18))
            continue
        # |p - c|^2 = r^2 is linear in c and r^2 - c^2.
        solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0]
        spheres.append((solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))))
    return spheres


def gaze_of(
    landmarks: np.ndarray,
    scores: np.ndarray,
    blink: np.ndarray,
    motion: FilmedHead,
    spheres: list[tuple[np.ndarray, float]],
    size: int,
) -> np.ndarray:  # [N, 2] float32
    """Yaw and pitch of the eyes against the head, in degrees, with the signs of `geometry.yaw_pitch_roll`.

    Half of it is where the ray through each iris meets the eyeball, half the landmarker's scores. What a gaze straight
    ahead looks like for this person is not known: up and down are told from the gaze that the clip holds most, which is
    taken to meet the camera. Shut eyes keep the gaze of the frames around.
    """
    camera = -np.einsum("nij,ni->nj", motion.rotations, motion.translations)
    angles = []
    for iris, (centre, radius) in zip(IRISES, spheres, strict=True):
        pixels = (landmarks[:, iris].astype(np.float64) - size / 2) / motion.focal
        ray = np.einsum("nij,ni->nj", motion.rotations, np.c_[pixels, np.ones(len(pixels))])
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        nearest = camera + ((centre - camera) * ray).sum(1, keepdims=True) * ray
        depth = np.sqrt(np.maximum((_IRIS_DEPTH * radius) ** 2 - ((nearest - centre) ** 2).sum(1), 0))
        angles.append(_angles(nearest - depth[:, None] * ray - centre))
    gaze = 0.5 * (np.mean(angles, axis=0) + _by_scores(scores))
    opened = blink < _SHUT
    if not opened.any():
        return np.zeros((len(blink), 2), np.float32)
    gaze[:, 1] -= np.median((gaze - _angles(camera))[opened, 1])
    return bridge(gaze, opened).astype(np.float32)


def _angles(towards: np.ndarray) -> np.ndarray:  # [N, 2]
    """Yaw and pitch in degrees of directions [N, 3] in head axes."""
    x, y, z = (towards / np.linalg.norm(towards, axis=1, keepdims=True)).T
    return np.degrees(np.stack([np.arctan2(-x, -z), np.arcsin(y)], axis=1))


def _by_scores(scores: np.ndarray) -> np.ndarray:  # [N, 2]
    def mean(names: Sequence[str]) -> np.ndarray:
        return scores[:, [name in names for name in NAMES]].mean(1)

    return np.stack([mean(_RIGHT) - mean(_LEFT), mean(_DOWN) - mean(_UP)], axis=1) * _DEGREES
