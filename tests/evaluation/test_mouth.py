"""What a mouth is told by its own opening."""

import numpy as np
import pytest

from gaussiantalker.evaluation.mouth import _range
from gaussiantalker.evaluation.record import NotMeasured


def test_the_range_is_told_whatever_the_lips_follow() -> None:
    rng = np.random.default_rng(0)
    true, other = rng.random(200), rng.random(200)
    assert _range(0.5 * true + 3, true).value == pytest.approx(0.5)
    assert _range(other, true).value == pytest.approx(other.std() / true.std())
    true[::2] = np.nan
    assert _range(2 * true, true).value == pytest.approx(2) and _range(true, true).n == 100
    for nothing in (np.zeros(200), np.full(200, np.nan), 0.02 * rng.random(200)):  # the last: what a tracker trembles
        with pytest.raises(NotMeasured):
            _range(other, nothing)
    found = np.arange(200) >= 20  # and only where the render has no face the true lips move
    with pytest.raises(NotMeasured):
        _range(np.where(found, other, np.nan), np.where(found, 0.1, rng.random(200)))
