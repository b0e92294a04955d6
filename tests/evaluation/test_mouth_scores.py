"""What a mouth is told by its own opening."""

import numpy as np
import pytest

from gaussiantalker.evaluation.mouth_scores import _range_score


def test_the_range_is_told_whatever_the_lips_follow() -> None:
    rng = np.random.default_rng(0)
    true, other = rng.random(200), rng.random(200)
    assert _range_score(0.5 * true + 3, true).value == pytest.approx(0.5)
    assert _range_score(other, true).value == pytest.approx(other.std() / true.std())
    true[::2] = np.nan
    assert _range_score(2 * true, true).value == pytest.approx(2) and _range_score(true, true).n == 100
    assert _range_score(other, np.zeros(200)).value is None
    assert _range_score(other, np.full(200, np.nan)).value is None
