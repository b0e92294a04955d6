"""The Fréchet distance against its definition with scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigvals

from gaussiantalker.evaluation.likeness import _frechet_distance

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25)
@given(seeds, st.integers(2, 40), st.integers(2, 40))
def test_it_is_the_distance_of_the_definition(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, 8)), rng.normal(1, 2, size=(m, 8))
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The eigenvalues of a product of covariances are never negative; those of rank-deficient ones are rounded zeros.
    roots = np.sqrt(np.maximum(eigvals(covariances[0] @ covariances[1]).real, 0))
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(covariances[0] + covariances[1]) - 2 * roots.sum()
    assert _frechet_distance(a, b) == pytest.approx(expected, rel=1e-6, abs=1e-5)


@given(seeds)
def test_a_crowd_is_no_distance_from_itself_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(20, 30))
    assert _frechet_distance(a, rng.permutation(a)) == pytest.approx(0, abs=1e-9)


@given(seeds, st.floats(0, 5))
def test_a_shift_counts_squared(seed: int, shift: float) -> None:
    a = np.random.default_rng(seed).normal(size=(20, 4))
    moved = a + np.array([shift, 0, 0, 0])
    assert _frechet_distance(a, moved) == pytest.approx(shift**2, abs=1e-6)
    assert _frechet_distance(a, moved) == pytest.approx(_frechet_distance(moved, a), abs=1e-9)
