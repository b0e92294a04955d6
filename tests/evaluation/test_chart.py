"""Charts are well-formed SVG and show what they are given."""

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaussiantalker.evaluation.chart import HEIGHT, WIDTH, Line, chart, ticks

numbers = st.floats(-1e4, 1e4) | st.just(float("nan"))


@given(arrays(float, st.integers(1, 30), elements=numbers))
def test_any_series_gives_a_picture_inside_its_frame(values: np.ndarray) -> None:
    picture = chart(np.arange(len(values)) / 25, [Line("a < b", values, "red")], "s", "dB", shaded=values > 0)
    svg = ElementTree.fromstring(f"<div>{picture}</div>")[0]
    for path in svg.iter("path"):
        points = path.get("d").replace("M", " ").replace("L", " ").split()
        assert all(0 <= float(x) <= WIDTH for x in points[::2])
        assert all(0 <= float(y) <= HEIGHT for y in points[1::2])
        assert len(points) // 2 == np.isfinite(values).sum()


def test_a_gap_lifts_the_pen() -> None:
    picture = chart(np.arange(5.0), [Line("", np.array([1, 2, np.nan, 3, 4]), "red")], "", "")
    assert picture.split('d="')[1].count("M") == 2


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.02, 0.11, [0.02, 0.04, 0.06, 0.08, 0.1]), (-1, 1, [-1, -0.5, 0, 0.5, 1])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_inside_and_are_few(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 2 <= len(found) <= 11
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in found)
