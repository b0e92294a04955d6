"""A camera whose path is known is followed to a fraction of a pixel, and one that stands still is left alone."""

from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from gaussiantalker.capture.bisenet import BiSeNetParser
from gaussiantalker.capture.camera import Still, align, small_grey, to_pixels
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.capture.scene import displacement, follow, same_scene
from gaussiantalker.capture.segmentation import silhouette
from gaussiantalker.media import video

SAMPLE = Path(__file__).parents[2] / "samples" / "speaker.mp4"
SIZE, FRAMES = 400, 96
CENTRES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])


def hand_held(zoom: float, pan: float, shake: float, source: int, count: int = FRAMES) -> np.ndarray:  # [count, 3, 3]
    """From pixels of each picture to those of the still scene: a slow zoom and pan with the tremble of a hand."""
    rng, time = np.random.default_rng(0), np.linspace(0, 1, count)

    def tremble(slow: float) -> np.ndarray:
        path = gaussian_filter1d(rng.normal(size=count), slow, mode="wrap")
        return path / path.std()

    scale = 0.86 * source / SIZE / (1 + (zoom - 1) * (0.5 - 0.5 * np.cos(2 * np.pi * time)))
    x = source / 2 + pan * np.sin(8 * time) + shake * tremble(4)
    y = source / 2 + shake * tremble(4)
    roll = np.radians(0.3) * tremble(5)
    out = np.zeros((count, 3, 3))
    out[:, 0, 0] = out[:, 1, 1] = scale * np.cos(roll)
    out[:, 1, 0] = scale * np.sin(roll)
    out[:, 0, 1] = -out[:, 1, 0]
    out[:, :2, 2] = np.stack([x, y], 1) - out[:, :2, :2] @ np.full(2, SIZE / 2)
    out[:, 2, 2] = 1
    return out


def seen(pictures: list[np.ndarray], path: np.ndarray) -> list[np.ndarray]:
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    inside = [(np.linalg.inv(CENTRES) @ matrix @ CENTRES)[:2] for matrix in path]
    return [cv2.warpAffine(p, m, (SIZE, SIZE), flags=how) for p, m in zip(pictures, inside, strict=True)]


@pytest.fixture(scope="module")
def sample(model: object) -> list[np.ndarray]:
    model("face-landmarker"), model("face-parser")
    return list(islice(video.read_frames(SAMPLE), 0, 2 * FRAMES, 2))


@pytest.mark.parametrize(("zoom", "pan", "shake"), [(1.0, 0.0, 5.0), (1.4, 12.0, 2.0)])
def test_the_sample_under_a_virtual_camera(
    sample: list[np.ndarray], model: object, zoom: float, pan: float, shake: float
) -> None:
    path = hand_held(zoom, pan, shake, sample[0].shape[0])
    pictures = seen(sample, path)
    greys = [small_grey(picture) for picture in pictures]
    parser, landmarker = BiSeNetParser(model("face-parser")), Landmarker()

    @cache
    def person(k: int) -> tuple[int, np.ndarray]:
        k -= k % 8
        mask = silhouette(pictures[k], landmarker.detect(pictures[k]).points[:, :2], parser)
        return k, cv2.resize(mask.astype(np.uint8), greys[k].shape[::-1], interpolation=cv2.INTER_AREA) > 0

    track = follow(lambda k: greys[k], person, 0, FRAMES, 0)
    assert not track.lost.any() and not track.stands
    pixels = to_pixels(SIZE, SIZE)
    ours = pixels @ track.places @ np.linalg.inv(pixels)
    truth = np.linalg.inv(path[0]) @ path
    where = np.array([[x, y, 1.0] for x in (60, 200, 340) for y in (60, 200, 340)]).T
    away = [(m @ where)[:, :2] / (m @ where)[:, 2:] for m in (ours, truth)]
    error = np.linalg.norm(away[0] - away[1], axis=1)
    moved = np.linalg.norm(away[1] - where[:2], axis=1)
    # Below the shoulders nothing is seen of the room, and how it moves there is told from above.
    assert np.percentile(moved, 90) > 5 and np.sqrt((error[:, [0, 1, 3, 4, 6, 7]] ** 2).mean()) < 0.5
    assert np.median(error) < 0.5 and np.percentile(error, 95) < 1.5
    assert track.residual * 2 * SIZE / 2 / 256 < 0.5, "what the capture tells of itself"


def test_a_camera_on_a_stand_stands(sample: list[np.ndarray], model: object) -> None:
    greys = [small_grey(picture) for picture in sample]
    parser, landmarker = BiSeNetParser(model("face-parser")), Landmarker()
    mask = silhouette(sample[0], landmarker.detect(sample[0]).points[:, :2], parser)
    person = cv2.resize(mask.astype(np.uint8), greys[0].shape[::-1], interpolation=cv2.INTER_AREA) > 0
    track = follow(lambda k: greys[k], lambda k: (0, person), 0, FRAMES, 0)
    assert track.stands and 256 / 2 * displacement(track.places).max() < 0.5


def scene(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.integers(0, 255, (SIZE, SIZE)).astype(np.uint8), (0, 0), 4) * 2


def test_another_exposure_is_no_motion_and_a_plain_wall_tells_nothing() -> None:
    grey, nobody = scene(0)[:256, :256], np.zeros((256, 256), bool)
    darker = (0.7 * grey.astype(float) + 12).astype(np.uint8)
    found = align(Still(grey, nobody), darker, np.eye(3))
    assert displacement(found.motion) * 128 < 0.05 and found.agreeing > 0.9
    assert not Still(np.full((256, 256), 130, np.uint8), nobody).tells


def test_scenes_are_told_apart_and_a_punch_in_is_the_same_scene() -> None:
    nobody = np.zeros((256, 256), bool)

    def track(grey: np.ndarray) -> object:
        return follow(lambda k: grey, lambda k: (0, nobody), 0, 2, 0)

    whole = scene(0)
    wide = cv2.resize(whole, (256, 256), interpolation=cv2.INTER_AREA)
    near = cv2.resize(whole[50:350, 60:360], (256, 256), interpolation=cv2.INTER_AREA)
    join = same_scene(track(wide), track(near))
    assert join is not None and abs(np.sqrt(np.linalg.det(join[:2, :2])) - 0.75) < 0.01
    assert same_scene(track(wide), track(cv2.resize(scene(1), (256, 256), interpolation=cv2.INTER_AREA))) is None
