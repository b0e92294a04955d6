"""Matrix products inside kernels against numpy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.kernels.products import HAS_BFLOAT, WIDTH, add_bf16_product, add_product, pair
from gaussiantalker.kernels.simd import LANES, load, store
from gaussiantalker.kernels.threads import compiled


@compiled
def added(rows, depth, out, a, a_row, a_next, b):
    add_product(rows, depth, b.shape[1], out, 0, b.shape[1], a, 0, a_row, a_next, b, 0, b.shape[1])


@compiled
def briefly_added(rows, depth, out, a, b):
    add_bf16_product(rows, depth, b.shape[1], out, 0, b.shape[1], a, 0, depth, 1, b, 0, b.shape[1])


@compiled
def paired(first, second, out):
    for at in range(0, first.size, LANES):
        store(out, at, pair(load(first, at), load(second, at)))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 70), st.integers(1, 2), st.booleans())
def test_product_is_added(rows: int, depth: int, blocks: int, turned: bool) -> None:
    rng = np.random.default_rng(depth)
    a, b = rng.normal(size=(rows, depth)), rng.normal(size=(depth, blocks * WIDTH))
    out = rng.normal(size=(rows, blocks * WIDTH)).astype(np.float32)
    expected = out + a @ b
    stored = np.ascontiguousarray(a.T if turned else a, np.float32)
    added(rows, depth, out, stored, *((1, rows) if turned else (depth, 1)), b.astype(np.float32))
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.skipif(not HAS_BFLOAT, reason="this processor has no bfloat16")
def test_brief_product_rounds_its_factors_and_nothing_else() -> None:
    import torch

    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(rng.normal(size=shape)).bfloat16() for shape in ((7, 20), (20, WIDTH)))
    rows = b.float().numpy()
    pairs, out = np.empty((10, WIDTH), np.float32), np.zeros((7, WIDTH), np.float32)
    for k in range(10):
        paired(np.ascontiguousarray(rows[2 * k]), np.ascontiguousarray(rows[2 * k + 1]), pairs[k])
    briefly_added(7, 10, out, a.contiguous().view(torch.float32).numpy(), pairs)
    np.testing.assert_allclose(out, (a.double() @ b.double()).numpy(), rtol=1e-5, atol=1e-5)
