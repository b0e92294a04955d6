"""PSNR and SSIM against scikit-image and torch, and at their edges."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio

from gaussiantalker.evaluation.pictures import PSNR_LIMIT, _ssim, psnr

seeds = st.integers(0, 2**32 - 1)


def pictures(seed: int, noise: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    b = np.clip(a + rng.normal(0, noise, a.shape), 0, 255).astype(np.uint8)
    return a, b


@given(seeds)
def test_psnr_is_that_of_scikit_image(seed: int) -> None:
    a, b = pictures(seed)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b), abs=1e-4)


@given(seeds)
def test_psnr_in_a_region_sees_only_the_region(seed: int) -> None:
    a, b = pictures(seed)
    mask = np.random.default_rng(seed).random(a.shape[:2]) < 0.3
    elsewhere = np.where(mask[..., None], b, 255 - b)
    assert psnr(a, b, mask) == pytest.approx(psnr(a, elsewhere, mask))
    assert psnr(a, b, mask) == pytest.approx(peak_signal_noise_ratio(a[mask], b[mask]), abs=1e-4)


@given(seeds)
def test_psnr_and_ssim_are_symmetric(seed: int) -> None:
    a, b = pictures(seed)
    assert psnr(a, b) == pytest.approx(psnr(b, a))
    assert _ssim(a, b, {"": None})[""] == pytest.approx(_ssim(b, a, {"": None})[""], abs=1e-6)


def test_identical_and_black_pictures() -> None:
    a, _ = pictures(0)
    black = np.zeros_like(a)
    for same in (a, black):
        assert psnr(same, same) == PSNR_LIMIT
        assert _ssim(same, same, {"": None})[""] == pytest.approx(1)
    assert psnr(black, black + 255) == pytest.approx(0)


def test_an_empty_region_is_nan() -> None:
    a, b = pictures(0)
    nowhere = np.zeros(a.shape[:2], bool)
    assert np.isnan(psnr(a, b, nowhere))
    assert np.isnan(_ssim(a, b, {"": nowhere})[""])


def ssim_by_definition(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Wang et al. 2004, equation 13, with torch's convolution: [H-10, W-10], mean over channels."""
    offsets = torch.arange(-5, 6, dtype=torch.float64)
    bell = torch.exp(-(offsets**2) / (2 * 1.5**2))
    kernel = torch.outer(bell, bell)[None, None] / bell.sum() ** 2
    x, y = (torch.from_numpy(p / 255.0).permute(2, 0, 1)[:, None] for p in (a, b))

    def mean(z: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(z, kernel)

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    value = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return value.mean(dim=(0, 1)).numpy()


@settings(max_examples=15)
@given(seeds)
def test_ssim_is_that_of_the_paper(seed: int) -> None:
    a, b = pictures(seed)
    mask = np.random.default_rng(seed).random(a.shape[:2]) < 0.5
    expected = ssim_by_definition(a, b)
    found = _ssim(a, b, {"whole": None, "part": mask})
    assert found["whole"] == pytest.approx(expected.mean(), abs=1e-4)
    assert found["part"] == pytest.approx(expected[mask[5:-5, 5:-5]].mean(), abs=1e-4)


def test_more_noise_is_worse() -> None:
    found = [(psnr(*pictures(1, noise)), _ssim(*pictures(1, noise), {"": None})[""]) for noise in (5, 20, 80)]
    assert found == sorted(found, reverse=True)
