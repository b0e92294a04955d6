"""Charts are well-formed SVG and show what they are given."""

from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from hearing import a_mouth_listener, noise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaussiantalker.evaluation import assessment
from gaussiantalker.evaluation.chart import HEIGHT, WIDTH, Line, Sound, _ticks, chart, histogram
from gaussiantalker.evaluation.curves import curves
from gaussiantalker.talker.mouth_code import SCORES

numbers = st.floats(-1e4, 1e4) | st.just(float("nan"))


def parse(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{picture}</div>").find(".//svg")


def points(path: ElementTree.Element) -> list[str]:
    return path.get("d").strip("MZ").replace("M", " ").replace("L", " ").split()


@given(arrays(float, st.integers(1, 30), elements=numbers))
def test_any_series_gives_a_picture_inside_its_frame(values: np.ndarray) -> None:
    svg = parse(chart(np.arange(len(values)) / 25, [Line("a < b", values, "red")], "s", "dB"))
    for path in svg.iter("path"):
        assert all(0 <= float(x) <= WIDTH for x in points(path)[::2])
        assert all(0 <= float(y) <= HEIGHT for y in points(path)[1::2])
        assert len(points(path)) // 2 == np.isfinite(values).sum()


def test_sound_lies_behind_the_lines_with_its_phones() -> None:
    seconds, samples = 2.0, np.sin(np.arange(32_000) / 9) * (np.arange(32_000) > 16_000)
    phones = [("m<", 0.0, 0.2, "red"), ("aa", 0.2, 1.0, "green"), ("x", 1.99, 9.0, "grey"), ("late", 3.0, 4.0, "grey")]
    sound = Sound(samples, seconds, np.arange(50) < 25, phones)
    svg = parse(chart(np.arange(50) / 25, [Line("", np.ones(50), "red")], "s", "", sound))
    assert svg.find(".//rect[@class='shade']") is not None
    wave = next(path for path in svg.iter("path") if path.get("class") == "wave")
    heights = np.array(points(wave)[1::2], dtype=float)
    quiet, loud = heights[: len(heights) // 4], heights[len(heights) // 4 : len(heights) // 2]
    assert np.ptp(quiet[:-2]) == 0 and loud[2:].max() < quiet[0], "the second half rises above the middle"
    boxes = svg.findall(".//rect[@class='phone']")
    assert [box.find("title").text for box in boxes] == ["m<", "aa", "x"]
    assert all(float(box.get("x")) + float(box.get("width")) <= WIDTH for box in boxes)


def test_long_sound_makes_a_wide_chart_in_which_phones_can_be_read() -> None:
    sound = Sound(np.zeros(16_000 * 30), 30.0, np.zeros(750, bool), [("aa", 12.0, 12.1, "green")])
    svg = parse(chart(np.arange(750) / 25, [Line("", np.ones(750), "red")], "s", "", sound))
    assert float(svg.get("viewBox").split()[2]) == 30 * 160 and "width:4800px" in svg.get("style")
    assert [text.text for text in svg.iter("text") if text.get("class") == "phone"] == ["aa"]


@given(arrays(float, st.integers(1, 60), elements=st.floats(0.1, 1e4)))
def test_a_histogram_counts_every_value_once(values: np.ndarray) -> None:
    svg = parse(histogram(values, [("median", float(np.median(values)), "red")], "ms", "pictures"))
    bars = svg.findall(".//rect[@class='bar']")
    heights = np.array([float(bar.get("height")) for bar in bars])
    counts = heights / heights.max() * np.arange(1, len(values) + 1)[:, None]
    assert any(abs(row.sum() - len(values)) < 0.05 * len(values) for row in counts)
    assert all(float(bar.get("y")) >= 0 for bar in bars)


def test_a_gap_lifts_the_pen() -> None:
    picture = chart(np.arange(5.0), [Line("", np.array([1, 2, np.nan, 3, 4]), "red")], "", "")
    assert picture.split('d="')[1].count("M") == 2


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.02, 0.11, [0.02, 0.04, 0.06, 0.08, 0.1]), (-1, 1, [-1, -0.5, 0, 0.5, 1])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert _ticks(low, high) == pytest.approx(expected)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_inside_and_are_few(low: float, span: float) -> None:
    found = _ticks(low, low + span)
    assert 2 <= len(found) <= 11
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in found)


def test_the_mouth_code_is_drawn_as_heard_and_as_tracked() -> None:
    """Tracked at rest it is 0; an avatar without a code has no such chart."""
    listener, frames = a_mouth_listener(), slice(2, 12)
    scores = np.full((12, len(SCORES)), 0.02)
    tracking = SimpleNamespace(lip_opening=scores[:, 0], blendshapes=np.full((12, 52), 0.02))
    capture = SimpleNamespace(tracking=tracking, audio=noise(12 * 0.04))
    reference = SimpleNamespace(capture=capture, frames=frames)
    codes = assessment._codes(SimpleNamespace(avatar=SimpleNamespace(listener=listener), reference=reference))
    np.testing.assert_allclose(codes["code_tracked"], np.zeros(10), atol=1e-6)
    np.testing.assert_array_equal(codes["code_heard"], listener.hear_film(capture.audio)[frames, 0])
    known = ["lip_opening_truth", "lip_opening_render", "lip_opening_expected", "mouth_distance", "psnr_head"]
    known += ["blink_truth", "blink_render"]
    per_frame = {name: [0.5] * 10 for name in known} | {"voiced": [True] * 10}
    result = {"per_frame": per_frame, "phones": {"spans": []}}
    without = curves(result, capture.audio)
    per_frame |= {name: values.tolist() for name, values in codes.items()}
    drawn = curves(result, capture.audio)
    assert [title for title in drawn if title not in without] == ["Mouth code, lip opening"]
    assert "heard" in drawn["Mouth code, lip opening"]
