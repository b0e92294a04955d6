"""Cubic B-splines as a CPU kernel: of eight bases only four differ from zero, and torch would compute all."""

import numpy as np
import torch
from numpy import float32 as f4
from torch import Tensor

from gaussiantalker.kernels.threads import compiled, for_each, helper, pool

GRID, BASES = 5, 8
_CHUNK = 4096  # values per task


@helper
def _cell_of(value):
    """Cell 0 .. 4 of a value, where it stands in the cell, and whether it lies inside [-1, 1]."""
    u = (min(max(value, f4(-1)), f4(1)) + f4(1)) * f4(GRID / 2)
    cell = min(int(u), GRID - 1)
    return cell, u - f4(cell), f4(abs(value) < f4(1))


@helper
def _bases_of_chunk(chunk, x, out):
    for n in range(chunk * _CHUNK, min(len(x), (chunk + 1) * _CHUNK)):
        cell, t, _ = _cell_of(x[n])
        for k in range(BASES):
            out[n, k] = f4(0)
        s = f4(1) - t
        out[n, cell] = s * s * s * f4(1 / 6)
        out[n, cell + 1] = f4(2 / 3) - t * t * (f4(1) - f4(0.5) * t)
        out[n, cell + 2] = f4(2 / 3) - s * s * (f4(1) - f4(0.5) * s)
        out[n, cell + 3] = t * t * t * f4(1 / 6)


@helper
def _slopes_of_chunk(chunk, x, grad, x_grad):
    for n in range(chunk * _CHUNK, min(len(x), (chunk + 1) * _CHUNK)):
        cell, t, inside = _cell_of(x[n])
        s = f4(1) - t
        slope = f4(0.5) * (t * t * grad[n, cell + 3] - s * s * grad[n, cell])
        slope += t * (f4(1.5) * t - f4(2)) * grad[n, cell + 1] - s * (f4(1.5) * s - f4(2)) * grad[n, cell + 2]
        x_grad[n] = slope * inside * f4(GRID / 2)


@compiled
def _all_bases(threads, x, out):
    for_each(threads, -(-len(x) // _CHUNK), _bases_of_chunk, (x, out))


@compiled
def _all_slopes(threads, x, grad, x_grad):
    for_each(threads, -(-len(x) // _CHUNK), _slopes_of_chunk, (x, grad, x_grad))


class _Bases(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        values = x.detach().contiguous().numpy().reshape(-1)
        out = np.empty((len(values), BASES), f4)
        _all_bases(pool(), values, out)
        ctx.values, ctx.shape = values, x.shape
        return torch.from_numpy(out).view(*x.shape, BASES)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        x_grad = np.empty_like(ctx.values)
        _all_slopes(pool(), ctx.values, grad.contiguous().numpy().reshape(-1, BASES), x_grad)
        return torch.from_numpy(x_grad).view(ctx.shape)


def bases(x: Tensor) -> Tensor:
    """`kan.spline_bases` of a float32 CPU tensor [...]: [..., 8]."""
    return _Bases.apply(x)
