"""Correlation, lag, expectation and silence, against scipy and by construction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from gaussiantalker.evaluation.sync import Expectation, correlation, lag, silence_ratio

seeds = st.integers(0, 2**32 - 1)


def smooth_noise(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.convolve(rng.normal(size=n + 20), np.hanning(9), mode="same")[10:-10]


@given(seeds)
def test_correlation_is_pearsons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=60)
    b = a + rng.normal(size=60)
    holes = rng.random(60) < 0.2
    with_holes = np.where(holes, np.nan, a)
    assert correlation(with_holes, b) == pytest.approx(pearsonr(a[~holes], b[~holes]).statistic)


@given(seeds, st.floats(0.1, 10), st.floats(-5, 5))
def test_correlation_knows_neither_scale_nor_level(seed: int, scale: float, level: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 50))
    assert correlation(a * scale + level, b) == pytest.approx(correlation(a, b))
    assert correlation(-a, b) == pytest.approx(-correlation(a, b))


def test_correlation_says_nothing_where_there_is_nothing_to_say() -> None:
    moving = np.arange(50.0)
    assert correlation(np.ones(50), moving) is None
    assert correlation(moving[:9], moving[:9]) is None
    assert correlation(np.full(50, np.nan), moving) is None


@given(seeds, st.integers(-8, 8))
def test_lag_finds_a_shift(seed: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    reference = smooth_noise(rng, 200)
    late = np.roll(reference, shift)
    assert lag(late, reference) == pytest.approx(shift / 25, abs=0.012)


@given(seeds, st.integers(-5, 5))
def test_lag_changes_sign_with_its_arguments(seed: int, shift: int) -> None:
    reference = smooth_noise(np.random.default_rng(seed), 200)
    late = np.roll(reference, shift)
    assert lag(late, reference) == pytest.approx(-lag(reference, late), abs=1e-6)


def test_lag_without_a_peak_is_none() -> None:
    rising = np.arange(100.0)
    assert lag(np.ones(100), rising) is None
    assert lag(np.full(5, 1.0), np.full(5, 1.0)) is None


def test_expectation_finds_what_the_sound_determines_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    windows = np.stack([smooth_noise(rng, 700) for _ in range(16 * 4)], axis=1).reshape(700, 16, 4)
    opening = 0.1 + 0.02 * windows[:, 8, 1] + 0.01 * windows[:, 7, 2]
    opening[5] = np.nan
    expectation = Expectation.fit(windows[:500], opening[:500])
    assert correlation(expectation.of(windows[500:]), opening[500:]) > 0.97
    unrelated = smooth_noise(rng, 700)
    by_chance = Expectation.fit(windows[:500], unrelated[:500])
    assert abs(correlation(by_chance.of(windows[500:]), unrelated[500:]) or 0.0) < 0.4


@pytest.mark.parametrize("features", [8, 60])
def test_the_regression_is_that_of_the_normal_equations(features: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, features)), rng.normal(size=40)
    (found,) = Expectation._of_strengths(x, y, np.array([2.0]))
    z = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)
    weights = np.linalg.solve(z.T @ z + 2.0 * np.eye(features), z.T @ (y - y.mean()))
    assert found.weights == pytest.approx(weights)


def test_silence_ratio_of_a_still_and_of_a_restless_mouth() -> None:
    rng = np.random.default_rng(0)
    voiced = np.arange(200) % 50 < 30
    moving = 0.2 + 0.05 * rng.normal(size=200)
    restless, openness, n = silence_ratio(np.where(voiced, moving, 0.01), voiced)
    assert restless == pytest.approx(0) and openness == pytest.approx(0.05, abs=0.01) and n == 4 * 19
    restless, openness, _ = silence_ratio(moving, voiced)
    assert restless == pytest.approx(1, abs=0.3) and openness == pytest.approx(1, abs=0.1)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=10), seeds)
def test_silence_ratio_of_any_speech_with_pauses(lengths: list[int], seed: int) -> None:
    voiced = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    opening = np.random.default_rng(seed).random(len(voiced))
    opening[0] = np.nan
    found = silence_ratio(opening, voiced)
    assert found is None or (found[0] >= 0 and found[1] >= 0 and found[2] >= 5)
