"""Structural similarity over an 11-tap Gaussian window (Wang et al. 2004), with a fast blur and gradient on CPU."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

TAPS, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def window_weights() -> np.ndarray:
    w = np.exp(-((np.arange(TAPS) - TAPS // 2) ** 2) / (2 * SIGMA**2))
    return w / w.sum()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean SSIM [...] of pictures [..., 3, H, W] in [0, 1], zeros beyond the border as in 3DGS training.

    Any number of channels and any size will do.
    """
    size = a.shape[-2:]
    x, y = a.reshape(-1, *size), b.expand_as(a).reshape(-1, *size)
    mean_x, mean_y, xx, yy, xy = blur(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    between, mean_squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    numerator = (2 * between + C1) * (2 * (xy - between) + C2)
    denominator = (mean_squares + C1) * (xx + yy - mean_squares + C2)
    return (numerator / denominator).reshape(a.shape).mean((-3, -2, -1))


def blur(planes: Tensor) -> Tensor:
    """Each plane of [C, H, W] under the window, zeros beyond the border."""
    if planes.device.type == "cpu" and planes.dtype == torch.float32:
        return _Blur.apply(planes)
    window = torch.tensor(window_weights(), dtype=planes.dtype, device=planes.device)
    planes = F.conv2d(planes[:, None], window.view(1, 1, TAPS, 1), padding=(TAPS // 2, 0))
    return F.conv2d(planes, window.view(1, 1, 1, TAPS), padding=(0, TAPS // 2))[:, 0]


class _Blur(torch.autograd.Function):
    """The window is symmetric, so the blur is its own adjoint."""

    @staticmethod
    def forward(ctx, planes):
        from gaussiantalker.splatting.blur_kernel import blur_planes
        from gaussiantalker.splatting.threads import pool

        source = planes.detach().contiguous()
        result = torch.empty_like(source)
        blur_planes(pool(), source.numpy(), result.numpy())
        return result

    @staticmethod
    def backward(ctx, grad):
        return _Blur.apply(grad)
