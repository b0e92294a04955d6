"""Cuts are told from motion, light and noise."""

import numpy as np
import pytest

from gaussiantalker.capture.reel import _find_cuts, _thumbnail


def changes(film: np.ndarray) -> np.ndarray:
    small = np.array([_thumbnail(frame) for frame in film])
    return np.abs(np.diff(small, axis=0)).mean((1, 2))


@pytest.fixture
def film() -> np.ndarray:
    """A bright block that sways before a dark wall, with grain."""
    rng = np.random.default_rng(0)
    frames = rng.integers(20, 40, (60, 90, 120, 3)).astype(np.uint8)
    for k, frame in enumerate(frames):
        left = 50 + int(20 * np.sin(k / 3))
        frame[30:80, left : left + 30] = 200
    return frames


def test_motion_is_no_cut(film: np.ndarray) -> None:
    assert _find_cuts(changes(film)) == []


def test_cuts_are_timed(film: np.ndarray) -> None:
    film[30:] = 255 - film[30:]
    assert _find_cuts(changes(film)) == [30 / 25]
    film[50:] = 255 - film[50:]
    assert _find_cuts(changes(film)) == [30 / 25, 50 / 25]


def test_fading_light_is_no_cut(film: np.ndarray) -> None:
    fading = film * np.linspace(1, 0.2, 60)[:, None, None, None]
    assert _find_cuts(changes(fading)) == []


def test_few_pictures_are_no_error() -> None:
    assert _find_cuts(np.zeros(0)) == []
    assert _find_cuts(np.array([100.0])) == [1 / 25]
