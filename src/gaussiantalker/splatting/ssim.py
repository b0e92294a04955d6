"""Structural similarity over an 11-tap Gaussian window (Wang et al. 2004), with fast gradients on CPUs and GPUs."""

from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
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
    b = b.expand_as(a)
    planes = a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *a.shape[-2:])
    return _planes_ssim(*planes).reshape(a.shape[:-2]).mean(-1)


def _planes_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Means [C] over planes [C, H, W], by whatever is fastest where they are."""
    if x.dtype == y.dtype == torch.float32:
        if x.device.type == y.device.type == "cpu":
            return _Ssim.apply(x, y)
        if x.device.type == "cuda" and find_spec("triton"):
            from gaussiantalker.splatting.triton_ssim import planes_ssim

            return planes_ssim(x, y)
    return _by_convolution(x, y)


def _by_convolution(x: Tensor, y: Tensor) -> Tensor:
    """Means [C] over planes [C, H, W], in any float type and on any device."""
    window = torch.tensor(window_weights(), dtype=x.dtype, device=x.device)
    stack = torch.cat([x, y, x * x, y * y, x * y])[:, None]
    stack = F.conv2d(stack, window.view(1, 1, TAPS, 1), padding=(TAPS // 2, 0))
    stack = F.conv2d(stack, window.view(1, 1, 1, TAPS), padding=(0, TAPS // 2))[:, 0]
    mean_x, mean_y, xx, yy, xy = stack.chunk(5)
    between, mean_squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    numerator = (2 * between + C1) * (2 * (xy - between) + C2)
    denominator = (mean_squares + C1) * (xx + yy - mean_squares + C2)
    return (numerator / denominator).mean((-2, -1))


class _Ssim(torch.autograd.Function):
    """`ssim_kernel` on planes [C, H, W], padded with zeros to whole vectors."""

    @staticmethod
    def forward(ctx, x, y):
        from gaussiantalker.kernels.threads import pool
        from gaussiantalker.splatting import ssim_kernel

        width = x.shape[2]
        padding = -width % ssim_kernel.LANES
        x, y = (F.pad(p.detach(), (0, padding)).contiguous().numpy() for p in (x, y))
        sums, maps = ssim_kernel.forward(pool(), x, y, width, ctx.needs_input_grad[0])
        ctx.width, ctx.saved = width, [(x, y, maps), None]
        if ctx.needs_input_grad[1]:  # the kernel knows the derivatives to its first picture only
            ctx.saved[1] = y, x, ssim_kernel.forward(pool(), y, x, width, True)[1]
        return torch.from_numpy((sums.sum(1) / (x.shape[1] * width)).astype(np.float32))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        from gaussiantalker.kernels.threads import pool
        from gaussiantalker.splatting import ssim_kernel

        gradients: list[Tensor | None] = [None, None]
        for k in range(2):
            if ctx.needs_input_grad[k]:
                pixels = ctx.saved[k][0].shape[1] * ctx.width
                padded = ssim_kernel.backward(pool(), *ctx.saved[k], (grad / pixels).contiguous().numpy())
                gradients[k] = torch.from_numpy(padded)[..., : ctx.width]
        return tuple(gradients)
