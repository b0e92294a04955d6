import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from gaussiantalker.splatting.ssim import ssim


def by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004 for one picture [3, H, W]; a filter truncated at 3.5 sigma has 11 taps."""

    def smooth(planes):
        return gaussian_filter(planes, (0, 1.5, 1.5), mode="constant", truncate=3.5)

    x, y = smooth(a), smooth(b)
    xx, yy, xy = smooth(a * a) - x * x, smooth(b * b) - y * y, smooth(a * b) - x * y
    return (((2 * x * y + 1e-4) * (2 * xy + 9e-4)) / ((x * x + y * y + 1e-4) * (xx + yy + 9e-4))).mean()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 10**6))
def test_values_are_scipy_s_at_every_size(height, width, seed):
    a, b = np.random.default_rng(seed).random((2, 2, 3, height, width))
    values = ssim(torch.from_numpy(a).float(), torch.from_numpy(b).float())
    np.testing.assert_allclose(values, [by_scipy(*pair) for pair in zip(a, b, strict=True)], atol=2e-5)


@pytest.mark.parametrize("size", [(9, 5), (16, 32), (21, 37)])
def test_gradients_of_the_kernel_are_autograd_s(size):
    a, b = torch.rand(2, 3, *size, requires_grad=True), torch.rand(2, 3, *size, requires_grad=True)
    single = torch.autograd.grad(ssim(a, b).sum(), (a, b))
    exact = torch.autograd.grad(ssim(a.double(), b.double()).sum(), (a, b))
    for one, other in zip(single, exact, strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-4)


def test_gradients_by_finite_differences():
    a, b = torch.rand(1, 3, 4, 5).double().requires_grad_(), torch.rand(1, 3, 4, 5).double()
    assert torch.autograd.gradcheck(lambda x: ssim(x, b), (a,))


def test_equal_pictures_score_one_and_shapes_are_kept():
    a = torch.rand(2, 4, 3, 20, 20)
    values = ssim(a, a)
    assert values.shape == (2, 4)
    torch.testing.assert_close(values, torch.ones(2, 4))
    assert ssim(a[0, 0], a[0, 0]).shape == ()
