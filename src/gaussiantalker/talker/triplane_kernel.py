"""The triplane lookup as a CPU kernel, several times faster than torch's grid_sample.

The backward pass gives every (plane, sixteen channels) to one task, so no two threads write the same texel and the
result does not depend on the number of threads.
"""

import numpy as np
import torch
from torch import Tensor

from gaussiantalker.kernels.simd import LANES, lane_sums, load, splat, store
from gaussiantalker.kernels.threads import compiled, for_each, pool

f4, i8 = np.float32, np.int64
_CHUNK = 128  # points per task of the forward pass
FIRST, SECOND = (0, 0, 1), (1, 2, 2)  # the coordinates the xy, xz and yz planes look at


@compiled
def _texel(value, size):
    """Cell and fraction of a coordinate in [-1, 1]; outside, the border's."""
    u = min(max((value + f4(1)) * f4(0.5) * f4(size - 1), f4(0)), f4(size - 1))
    cell = min(i8(u), size - 2)
    return cell, u - f4(cell)


@compiled
def _sample_chunk(chunk, points, planes, out, samples):
    """Feature and the three plane samples, kept for the backward pass, of one chunk of points."""
    size, channels = planes.shape[1], planes.shape[3]
    for n in range(chunk * _CHUNK, min(len(points), (chunk + 1) * _CHUNK)):
        for c in range(0, channels, LANES):
            feature = splat(f4(1))
            for k in range(3):
                i, a = _texel(points[n, FIRST[k]], size)
                j, b = _texel(points[n, SECOND[k]], size)
                at = ((k * size + j) * size + i) * channels + c
                below = at + size * channels
                upper = load(planes, at) * (f4(1) - a) + load(planes, at + channels) * a
                lower = load(planes, below) * (f4(1) - a) + load(planes, below + channels) * a
                sample = upper * (f4(1) - b) + lower * b
                store(samples, (n * 3 + k) * channels + c, sample)
                feature = feature * sample
            store(out, n * channels + c, feature)


@compiled
def _plane_gradient(task, points, size, channels, grad, samples, planes_grad):
    """Adds up the gradient of sixteen channels of one plane."""
    k, c = task % 3, task // 3 * LANES
    for n in range(len(points)):
        i, a = _texel(points[n, FIRST[k]], size)
        j, b = _texel(points[n, SECOND[k]], size)
        others = load(samples, (n * 3 + (k + 1) % 3) * channels + c) * load(
            samples, (n * 3 + (k + 2) % 3) * channels + c
        )
        g = load(grad, n * channels + c) * others
        at = ((k * size + j) * size + i) * channels + c
        below = at + size * channels
        upper, lower = g * (f4(1) - b), g * b
        store(planes_grad, at, load(planes_grad, at) + upper * (f4(1) - a))
        store(planes_grad, at + channels, load(planes_grad, at + channels) + upper * a)
        store(planes_grad, below, load(planes_grad, below) + lower * (f4(1) - a))
        store(planes_grad, below + channels, load(planes_grad, below + channels) + lower * a)


@compiled
def _point_gradient(chunk, points, planes, grad, samples, points_grad):
    """The gradient of each point's position: the slope of the bilinear surface, zero beyond the border."""
    size, channels = planes.shape[1], planes.shape[3]
    slope = f4(0.5) * f4(size - 1)
    sums = np.zeros(LANES, f4)
    for n in range(chunk * _CHUNK, min(len(points), (chunk + 1) * _CHUNK)):
        for k in range(3):
            i, a = _texel(points[n, FIRST[k]], size)
            j, b = _texel(points[n, SECOND[k]], size)
            along_first, along_second = splat(f4(0)), splat(f4(0))
            for c in range(0, channels, LANES):
                at = ((k * size + j) * size + i) * channels + c
                below = at + size * channels
                p, q, r, s = (
                    load(planes, at),
                    load(planes, at + channels),
                    load(planes, below),
                    load(planes, below + channels),
                )
                one, two = (n * 3 + (k + 1) % 3) * channels + c, (n * 3 + (k + 2) % 3) * channels + c
                g = load(grad, n * channels + c) * load(samples, one) * load(samples, two)
                along_first = along_first + g * ((q - p) * (f4(1) - b) + (s - r) * b)
                along_second = along_second + g * ((r - p) * (f4(1) - a) + (s - q) * a)
            store(sums, 0, lane_sums((along_first, along_second)))
            if abs(points[n, FIRST[k]]) < f4(1):
                points_grad[n, FIRST[k]] += slope * sums[0]
            if abs(points[n, SECOND[k]]) < f4(1):
                points_grad[n, SECOND[k]] += slope * sums[1]


@compiled
def _sample_all(threads, points, planes, out, samples):
    for_each(threads, -(-len(points) // _CHUNK), _sample_chunk, (points, planes, out, samples))


@compiled
def _plane_gradients(threads, points, size, channels, grad, samples, planes_grad):
    for_each(threads, 3 * channels // LANES, _plane_gradient, (points, size, channels, grad, samples, planes_grad))


@compiled
def _point_gradients(threads, points, planes, grad, samples, points_grad):
    for_each(threads, -(-len(points) // _CHUNK), _point_gradient, (points, planes, grad, samples, points_grad))


class _SamplePlanes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, unit: Tensor, planes: Tensor) -> Tensor:
        points, texels = unit.detach().contiguous().numpy(), planes.detach().contiguous().numpy()
        out = np.empty((len(points), texels.shape[3]), f4)
        samples = np.empty((len(points), 3, texels.shape[3]), f4)
        _sample_all(pool(), points, texels, out, samples)
        ctx.arrays = points, texels, samples
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        points, texels, samples = ctx.arrays
        arriving = grad.contiguous().numpy()
        points_grad = planes_grad = None
        if ctx.needs_input_grad[0]:
            points_grad = torch.zeros(points.shape)
            _point_gradients(pool(), points, texels, arriving, samples, points_grad.numpy())
        if ctx.needs_input_grad[1]:
            planes_grad = torch.zeros(texels.shape)
            size, channels = texels.shape[1], texels.shape[3]
            _plane_gradients(pool(), points, size, channels, arriving, samples, planes_grad.numpy())
        return points_grad, planes_grad


def sample_planes(unit: Tensor, planes: Tensor) -> Tensor:
    """One level: points [N, 3] in [-1, 1] and planes [3, R, R, C], C a multiple of 16, to features [N, C]."""
    return _SamplePlanes.apply(unit, planes)
