"""SSIM and its gradient to the first picture in numba: blurs, formula and derivatives in one pass over the rows.

Planes are [C, H, W'] with W' a multiple of sixteen, zero beyond the true width.
"""

import numpy as np
from numpy import float32 as f4

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.threads import compiled, for_each, helper
from gaussiantalker.splatting.ssim import C1, C2, TAPS, window_weights

LANES = simd.LANES
_WEIGHTS = tuple(f4(w) for w in window_weights())
_HALF = TAPS // 2
_C1, _C2, _ONE, _TWO = f4(C1), f4(C2), f4(1), f4(2)
_ROWS = 8

_lane = simd.constant(range(LANES))


@helper
def _blurred(line, row, x):
    """The window along one of the buffered rows."""
    total = simd.splat(f4(0))
    for k in range(TAPS):
        total += simd.load(line, row * line.shape[1] + LANES - _HALF + x + k) * _WEIGHTS[k]
    return total


@helper
def _gather_moments(at, y, planes_x, planes_y, line):
    """Down the columns: the window over x, y, x^2, y^2 and xy around one row, into five buffered rows."""
    height, width = planes_x.shape[1:]
    stride = line.shape[1]
    for x in range(0, width, LANES):
        s0 = s1 = s2 = s3 = s4 = simd.splat(f4(0))
        for k in range(max(-_HALF, -y), min(_HALF, height - 1 - y) + 1):
            a, b = simd.load(planes_x, (at + k) * width + x), simd.load(planes_y, (at + k) * width + x)
            weighted_a, weighted_b = a * _WEIGHTS[k + _HALF], b * _WEIGHTS[k + _HALF]
            s0 += weighted_a
            s1 += weighted_b
            s2 += weighted_a * a
            s3 += weighted_b * b
            s4 += weighted_a * b
        simd.store(line, LANES + x, s0)
        simd.store(line, stride + LANES + x, s1)
        simd.store(line, 2 * stride + LANES + x, s2)
        simd.store(line, 3 * stride + LANES + x, s3)
        simd.store(line, 4 * stride + LANES + x, s4)


@helper
def _forward_rows(chunk, planes_x, planes_y, true_width, sums, maps):
    count, height, width = planes_x.shape
    line, total = np.zeros((5, width + 2 * LANES), f4), np.empty(LANES, f4)
    for at in range(_ROWS * chunk, min(_ROWS * (chunk + 1), count * height)):
        _gather_moments(at, at % height, planes_x, planes_y, line)
        row_sum = simd.splat(f4(0))
        for x in range(0, width, LANES):
            mean_x, mean_y = _blurred(line, 0, x), _blurred(line, 1, x)
            between, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
            a1, a2 = _TWO * between + _C1, _TWO * (_blurred(line, 4, x) - between) + _C2
            b1, b2 = squares + _C1, _blurred(line, 2, x) + _blurred(line, 3, x) - squares + _C2
            inverse = _ONE / (b1 * b2)
            inside = _lane() < f4(true_width - x)
            value = simd.select(inside, a1 * a2 * inverse, f4(0))
            row_sum += value
            if len(maps) > 0:
                to_mean = _TWO * mean_y * (a2 - a1) * inverse - _TWO * mean_x * value * (b2 - b1) * inverse
                to_xx, to_xy = -value * b1 * inverse, _TWO * a1 * inverse
                place, plane = at * width + x, count * height * width
                simd.store(maps, place, simd.select(inside, to_mean, f4(0)))
                simd.store(maps, place + plane, to_xx)
                simd.store(maps, place + 2 * plane, simd.select(inside, to_xy, f4(0)))
        simd.store(total, 0, row_sum)
        sums[at // height, at % height] = total.sum()


@compiled
def forward(pool, planes_x, planes_y, true_width, keep):
    """Sums of SSIM over each row [C, H] (float64), and what `backward` needs when `keep` is set.

    That is, [3, C, H, W'], the derivatives to the blurred x, x^2 and xy at every pixel.
    """
    count, height, width = planes_x.shape
    sums = np.empty((count, height), np.float64)
    maps = np.empty((3 if keep else 0, count, height, width), f4)
    arguments = (planes_x, planes_y, true_width, sums, maps)
    for_each(pool, (count * height + _ROWS - 1) // _ROWS, _forward_rows, arguments)
    return sums, maps


@helper
def _backward_rows(chunk, planes_x, planes_y, maps, scale, result):
    count, height, width = planes_x.shape
    line = np.zeros((3, width + 2 * LANES), f4)
    plane, stride = count * height * width, line.shape[1]
    for at in range(_ROWS * chunk, min(_ROWS * (chunk + 1), count * height)):
        y = at % height
        for x in range(0, width, LANES):
            s0 = s1 = s2 = simd.splat(f4(0))
            for k in range(max(-_HALF, -y), min(_HALF, height - 1 - y) + 1):
                place, weight = (at + k) * width + x, _WEIGHTS[k + _HALF]
                s0 += simd.load(maps, place) * weight
                s1 += simd.load(maps, place + plane) * weight
                s2 += simd.load(maps, place + 2 * plane) * weight
            simd.store(line, LANES + x, s0)
            simd.store(line, stride + LANES + x, s1)
            simd.store(line, 2 * stride + LANES + x, s2)
        for x in range(0, width, LANES):
            place = at * width + x
            a, b = simd.load(planes_x, place), simd.load(planes_y, place)
            slope = _blurred(line, 0, x) + _TWO * a * _blurred(line, 1, x) + b * _blurred(line, 2, x)
            simd.store(result, place, slope * scale[at // height])


@compiled
def backward(pool, planes_x, planes_y, maps, scale):
    """The gradient to planes_x, when the sum of SSIM over plane c has the gradient scale[c].

    The window is symmetric, so the derivatives go back through the same blur.
    """
    result = np.empty_like(planes_x)
    rows = planes_x.shape[0] * planes_x.shape[1]
    for_each(pool, (rows + _ROWS - 1) // _ROWS, _backward_rows, (planes_x, planes_y, maps, scale, result))
    return result
