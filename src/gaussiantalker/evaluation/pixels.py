"""Pixel metrics between a picture and its truth, over the whole frame or a region of it."""

import numpy as np
from skimage.metrics import structural_similarity

# Identical pictures have no finite PSNR, which would make the mean over frames infinite; they count as this much.
PSNR_LIMIT = 100.0
_SSIM_BORDER = 5  # half of the 11-pixel window


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """-10 log10 of the mean squared error of uint8 pictures [H, W, 3] scaled to [0, 1], in dB.

    With a mask bool [H, W], the mean is over the masked pixels alone. At most 100 dB; NaN for an empty mask.
    """
    error = np.square((a.astype(np.float32) - b.astype(np.float32)) / 255)
    values = error if mask is None else error[mask]
    if not values.size:
        return float("nan")
    return float(-10 * np.log10(max(values.mean(dtype=np.float64), 10 ** (-PSNR_LIMIT / 10))))


def ssim(a: np.ndarray, b: np.ndarray, masks: dict[str, np.ndarray | None]) -> dict[str, float]:
    """Structural similarity (Wang et al. 2004) of uint8 pictures [H, W, 3], averaged over each of several masks.

    Window 11 x 11, Gaussian of sigma 1.5, C1 = .01^2, C2 = .03^2, mean over the three channels. A border of 5 pixels,
    where the window is not whole, never counts. The mask None is the whole frame; NaN for an empty mask.
    """
    similarity = structural_similarity(
        a.astype(np.float32) / 255,
        b.astype(np.float32) / 255,
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1]
    inside = np.s_[_SSIM_BORDER:-_SSIM_BORDER, _SSIM_BORDER:-_SSIM_BORDER]
    per_pixel = similarity.mean(axis=2)[inside]
    values = {name: per_pixel if mask is None else per_pixel[mask[inside]] for name, mask in masks.items()}
    return {name: float(value.mean(dtype=np.float64)) if value.size else float("nan") for name, value in values.items()}
