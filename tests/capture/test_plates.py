"""Behind the head: the true background where it was ever seen, smooth colours where not, and no head."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.capture.fill import pull_push, rows_down_to
from gaussiantalker.capture.plates import _clean_background, _plate

SIZE = 96
SKIN, SHIRT, HAIR = (200, 150, 130), (40, 60, 90), (250, 0, 250)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_fill_keeps_what_is_known_and_stays_in_range(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
    weight = (rng.random((height, width)) < 0.3).astype(np.float32)
    filled = pull_push(image, weight)
    assert filled.shape == image.shape and np.isfinite(filled).all()
    known = weight > 0
    assert np.allclose(filled[known], image[known])
    if known.any():
        assert filled.min() >= image[known].min() - 1e-2 and filled.max() <= image[known].max() + 1e-2


def test_fill_of_one_colour_is_that_colour() -> None:
    weight = np.zeros((50, 70), np.float32)
    weight[3, 5] = 1
    assert np.allclose(pull_push(np.full((50, 70, 3), 77.0, np.float32) * weight[..., None], weight), 77, atol=1e-3)


def person(shift: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of discs and bars before a textured wall: picture, labels, wall."""
    rng = np.random.default_rng(7)
    wall = rng.integers(60, 120, (SIZE, SIZE, 3)).astype(np.uint8)
    y, x = np.mgrid[:SIZE, :SIZE]
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[(y > 75) & (np.abs(x - 48) < 34)] = 3
    labels[(y > 55) & (y <= 75) & (np.abs(x - 48) < 9)] = 2
    labels[(y - 38) ** 2 + (x - 48 - shift) ** 2 < 22**2] = 1
    picture = wall.copy()
    for label, colour in ((1, HAIR), (2, SKIN), (3, SHIRT)):
        picture[labels == label] = colour
    return picture, labels, wall


def test_background_is_found_behind_a_moving_head() -> None:
    views = [person(shift) for shift in range(-24, 25, 3)]
    background, seen = _clean_background(np.stack([v[0] for v in views]), np.stack([v[1] for v in views]))
    wall = views[0][2]
    assert np.array_equal(background[seen], wall[seen])
    assert seen[:70].mean() > 0.8 and not seen[80:, 48].any()
    assert np.abs(background.astype(int) - HAIR).sum(-1).min() > 100, "no head may remain"


def test_background_outlives_a_wrong_mask() -> None:
    views = [person(0) for _ in range(9)]
    pictures, labels = np.stack([v[0] for v in views]), np.stack([v[1] for v in views])
    pictures[4, :20] = 255
    background, _ = _clean_background(pictures, labels)
    assert np.array_equal(background[:8], views[0][2][:8])


@pytest.mark.parametrize("shift", [-6, 0, 5])
def test_plate_has_body_and_wall_but_no_head(shift: int) -> None:
    picture, labels, wall = person(shift)
    result = _plate(picture, labels, wall.astype(np.float32)).astype(int)
    assert np.abs(result - HAIR).sum(-1).min() > 100
    far = np.zeros_like(labels, bool)
    far[70:] = True
    far &= labels > 0
    assert np.array_equal(result[far], picture[far].astype(int)), "what the head does not touch stays as it is"
    assert np.abs(result[:8].astype(int) - wall[:8]).max() == 0


def test_neck_goes_on_behind_the_chin() -> None:
    picture, labels, wall = person(0)
    result = _plate(picture, labels, wall.astype(np.float32)).astype(int)
    chin = int(np.flatnonzero(labels[:, 48] == 1)[-1])
    above = result[chin - 4 : chin + 1, 44:53]
    assert (above[..., 0] > above[..., 2] + 15).all(), "skin is redder than the wall"
    streaks = np.abs(np.diff(above, axis=1)).max()
    assert streaks <= 6


def test_plate_of_an_empty_picture_is_the_picture() -> None:
    picture, _, wall = person(0)
    labels = np.zeros((SIZE, SIZE), np.uint8)
    assert np.array_equal(_plate(picture, labels, wall.astype(np.float32)), picture)


@pytest.mark.parametrize("dark", [1, 4])
def test_a_fade_from_black_leaves_no_silhouette(dark: int) -> None:
    """The first frames of the film are black, and nobody is found in them."""
    views = [person(0) for _ in range(12)]
    pictures, labels = np.stack([v[0] for v in views]), np.stack([v[1] for v in views])
    for k in range(dark):
        pictures[k] = pictures[k] * (0.15 * k)
        labels[k] = 0
    background, seen = _clean_background(pictures, labels)
    assert not seen[30:46, 40:56].any(), "behind the head nothing was seen"
    assert background.min() >= 55, "the wall's darkest colour is 60"
    empty = pictures.copy()
    empty[:dark] = views[0][2]
    background, seen = _clean_background(empty, labels)
    assert seen.all() and np.array_equal(background, views[0][2]), (
        "a wall without the person is the best of backgrounds"
    )


def test_rows_down_to() -> None:
    target = np.array([[0, 0], [0, 0], [1, 0]], bool)
    through = np.array([[1, 1], [1, 1], [0, 1]], bool)
    np.testing.assert_array_equal(rows_down_to(target, through), [[2, np.inf], [1, np.inf], [np.inf, np.inf]])
