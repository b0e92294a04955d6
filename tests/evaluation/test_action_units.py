"""The AU proxies, by construction."""

import numpy as np
import pytest

from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.evaluation.action_units import intensities, proxy_error


def test_one_score_moves_one_unit() -> None:
    scores = np.zeros((3, 52))
    moved = scores.copy()
    moved[:, NAMES.index("jawOpen")] = 0.2
    assert proxy_error(scores, moved, upper=False) == pytest.approx(1.0)  # (0.2 * 5)^2 of unit 26 alone
    assert proxy_error(scores, moved, upper=True) == 0


def test_frames_without_a_face_do_not_count() -> None:
    a, b = np.random.default_rng(0).random((2, 6, 52))
    with_hole = np.concatenate([b, np.full((1, 52), np.nan)])
    longer = np.concatenate([a, a[:1]])
    assert proxy_error(longer, with_hole, upper=False) == pytest.approx(proxy_error(a, b, upper=False))


def test_every_unit_of_the_papers_is_there() -> None:
    ones = np.ones((1, 52))
    assert intensities(ones, upper=True) == pytest.approx(np.full((1, 8), 5.0))
    assert intensities(ones, upper=False) == pytest.approx(np.full((1, 9), 5.0))
