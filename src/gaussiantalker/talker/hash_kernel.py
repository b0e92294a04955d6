"""The hash triplane's lookup as a CPU kernel.

The backward pass gives every (plane, level) to one task, so no two threads write the same entry and the result does
not depend on the number of threads.
"""

import numpy as np
import torch
from torch import Tensor

from gaussiantalker.kernels.threads import compiled, for_each, helper, pool
from gaussiantalker.talker.hash_triplane import PRIME

f4, i8 = np.float32, np.int64
_CHUNK = 256  # points per task of the forward pass
FIRST, SECOND = (0, 0, 1), (1, 2, 2)  # the coordinates the xy, xz and yz planes look at


@helper
def _node(value, size):
    """Cell and fraction of a coordinate in [0, 1]."""
    u = value * f4(size - 1)
    cell = min(i8(u), size - 2)
    return cell, u - f4(cell)


@helper
def _entry(i, j, size, entries):
    if size * size <= entries:
        return j * size + i
    return (i ^ (j * PRIME)) & (entries - 1)


@helper
def _sample_chunk(chunk, points, tables, sizes, out):
    levels, entries, channels = tables.shape[1], tables.shape[2], tables.shape[3]
    for n in range(chunk * _CHUNK, min(len(points), (chunk + 1) * _CHUNK)):
        for k in range(3):
            for level in range(levels):
                size = sizes[level]
                i, a = _node(points[n, FIRST[k]], size)
                j, b = _node(points[n, SECOND[k]], size)
                p, q = _entry(i, j, size, entries), _entry(i + 1, j, size, entries)
                r, s = _entry(i, j + 1, size, entries), _entry(i + 1, j + 1, size, entries)
                for c in range(channels):
                    upper = tables[k, level, p, c] * (f4(1) - a) + tables[k, level, q, c] * a
                    lower = tables[k, level, r, c] * (f4(1) - a) + tables[k, level, s, c] * a
                    out[n, (k * levels + level) * channels + c] = upper * (f4(1) - b) + lower * b


@helper
def _grid_gradient(task, points, tables, sizes, grad, tables_grad, slopes):
    """Adds up the gradient of one grid's entries, and keeps what it says about the points' two coordinates."""
    levels, entries, channels = tables.shape[1], tables.shape[2], tables.shape[3]
    k, level = task // levels, task % levels
    size = sizes[level]
    for n in range(len(points)):
        i, a = _node(points[n, FIRST[k]], size)
        j, b = _node(points[n, SECOND[k]], size)
        p, q = _entry(i, j, size, entries), _entry(i + 1, j, size, entries)
        r, s = _entry(i, j + 1, size, entries), _entry(i + 1, j + 1, size, entries)
        along_first, along_second = f4(0), f4(0)
        for c in range(channels):
            g = grad[n, task * channels + c]
            upper, lower = g * (f4(1) - b), g * b
            tables_grad[k, level, p, c] += upper * (f4(1) - a)
            tables_grad[k, level, q, c] += upper * a
            tables_grad[k, level, r, c] += lower * (f4(1) - a)
            tables_grad[k, level, s, c] += lower * a
            rise = tables[k, level, q, c] - tables[k, level, p, c]
            along_first += upper * rise + lower * (tables[k, level, s, c] - tables[k, level, r, c])
            rise = tables[k, level, r, c] - tables[k, level, p, c]
            along_second += g * (rise * (f4(1) - a) + (tables[k, level, s, c] - tables[k, level, q, c]) * a)
        slopes[task, n, 0] = along_first * f4(size - 1)
        slopes[task, n, 1] = along_second * f4(size - 1)


@compiled
def _sample_all(threads, points, tables, sizes, out):
    for_each(threads, -(-len(points) // _CHUNK), _sample_chunk, (points, tables, sizes, out))


@compiled
def _grid_gradients(threads, points, tables, sizes, grad, tables_grad, slopes):
    for_each(threads, len(slopes), _grid_gradient, (points, tables, sizes, grad, tables_grad, slopes))


class _SampleTables(torch.autograd.Function):
    @staticmethod
    def forward(ctx, unit: Tensor, tables: Tensor, sizes: tuple[int, ...]) -> Tensor:
        points, entries = unit.detach().contiguous().numpy(), tables.detach().contiguous().numpy()
        out = np.empty((len(points), 3 * len(sizes) * entries.shape[3]), f4)
        ctx.arrays = points, entries, np.array(sizes)
        _sample_all(pool(), *ctx.arrays, out)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        points, entries, sizes = ctx.arrays
        tables_grad, slopes = np.zeros_like(entries), np.empty((3 * len(sizes), len(points), 2), f4)
        _grid_gradients(pool(), points, entries, sizes, grad.contiguous().numpy(), tables_grad, slopes)
        by_plane = slopes.reshape(3, len(sizes), len(points), 2).sum(axis=1)
        points_grad = np.zeros_like(points)
        for plane in range(3):
            points_grad[:, FIRST[plane]] += by_plane[plane, :, 0]
            points_grad[:, SECOND[plane]] += by_plane[plane, :, 1]
        return torch.from_numpy(points_grad), torch.from_numpy(tables_grad), None


def sample_tables(unit: Tensor, tables: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Points [N, 3] in [0, 1] and tables [3, L, T, C] to features [N, 3 * L * C]."""
    return _SampleTables.apply(unit, tables, sizes)
