"""The mark is seen by nobody and found by the detector in what is left of a film; chance is not taken for it."""

from functools import reduce

import numpy as np
import pytest
from marked_pictures import PAYLOAD, SIDE, encoded, jpeg, marked, resized, scene
from scipy.stats import norm

from gaussiantalker.provenance import watermark
from gaussiantalker.provenance.detection import Mark, _read, detect
from gaussiantalker.provenance.watermark import PAYLOAD_BITS, pattern


def test_nobody_sees_it() -> None:
    before = scene()
    error = np.mean([(a.astype(float) - b) ** 2 for a, b in zip(before, marked(before), strict=True)])
    assert 10 * np.log10(255**2 / error) >= 45


def test_no_colour_wraps_around() -> None:
    edge = np.zeros((SIDE, SIDE, 3), np.uint8)
    assert marked([edge])[0].max() < 10
    assert marked([255 - edge])[0].min() > 245


ATTACKS = {
    "nothing": lambda pictures: pictures,
    "H.264 at CRF 28": lambda pictures: encoded(pictures, crf="28"),
    "three quarters of its size": lambda pictures: encoded([resized(p, SIDE * 3 // 4) for p in pictures], crf="23"),
    "larger": lambda pictures: [resized(p, SIDE * 4 // 3) for p in pictures],
    "a tenth cut off": lambda pictures: encoded([p[22:-16, 6:-32] for p in pictures], crf="23"),
    "JPEG 70": lambda pictures: [jpeg(p) for p in pictures],
    "brighter": lambda pictures: [(p * 0.8 + 50).astype(np.uint8) for p in pictures],
    "one picture": lambda pictures: pictures[:1],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_survives(attack: str) -> None:
    found = detect(ATTACKS[attack](marked(scene())))
    assert found.sure and found.payload == PAYLOAD


def test_the_scale_is_told() -> None:
    assert detect([resized(p, 288) for p in marked(scene())]).scale == pytest.approx(0.75, abs=0.004)


@pytest.mark.parametrize("seed", range(4))
def test_chance_is_not_taken_for_it(seed: int) -> None:
    assert not detect(scene(seed)).found


def test_the_bound_is_that_of_all_that_is_compared() -> None:
    """A tail beyond it, times scales, places and payloads, is a millionth."""
    needed = Mark(0, 0.0, 1.0).needed
    assert PAYLOAD_BITS == 40 and 1e-7 < norm.sf(needed) * 150 * 7 * 64**2 * 2.0**PAYLOAD_BITS < 2e-6


def test_one_wrong_number_is_contradicted_by_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another tool would write differs in one of the five from all that this one writes."""
    pattern.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(watermark, "TOOL", watermark.TOOL ^ 0b1000)
        pictures = marked(scene())
    pattern.cache_clear()
    assert not detect(pictures).sure


@pytest.mark.parametrize("seed", range(20))
def test_a_number_that_the_others_contradict_is_not_believed(seed: int) -> None:
    """One sequence fits another place better than its own, as in one of 200 films by chance."""
    draw = np.random.default_rng(seed)
    surfaces, numbers = draw.normal(size=(6, 64, 64)), draw.integers(0, 1024, 5)
    numbers[4] = np.bitwise_xor.reduce(numbers[:4]) ^ watermark.TOOL
    surfaces[0, 10, 20] = 9.0
    for surface, number in zip(surfaces[1:], numbers, strict=True):
        row, column = divmod(int(number), 32)
        surface[(10 + 2 * row) % 64, (20 + 2 * column) % 64] = 6.5
    true = reduce(lambda bits, number: bits << 10 | int(number), numbers[:4], 0)
    assert _read(surfaces, 1.0).sure and _read(surfaces, 1.0).payload == true
    at = [(10 + 2 * row) % 64 if k == 0 else (20 + 2 * row) % 64 for k, row in enumerate(divmod(int(numbers[2]), 32))]
    surfaces[3, at[0], at[1]] = 3.8
    surfaces[3, at[0] - 2, at[1] - 2] = 5.2
    found = _read(surfaces, 1.0)
    assert found.found and found.payload == true


def test_each_payload_has_a_pattern_of_its_own() -> None:
    one, other = (pattern(payload).astype(float).ravel() for payload in (PAYLOAD, PAYLOAD ^ (1 << 39)))
    assert np.corrcoef(one, other)[0, 1] < 0.8


def test_nothing_cannot_be_searched() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        detect([])
