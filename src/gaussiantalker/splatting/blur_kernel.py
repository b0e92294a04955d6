"""The separable 11-tap blur in numba."""

import numpy as np

from gaussiantalker.splatting import simd
from gaussiantalker.splatting.ssim import TAPS, window_weights
from gaussiantalker.splatting.threads import compiled, for_each, helper

f4 = np.float32
_WEIGHTS = tuple(f4(w) for w in window_weights())
_HALF = TAPS // 2
_ROWS = 8


@helper
def _blur_rows(chunk, planes, result):
    """Down the columns into one padded row, then along it."""
    count, height, width = planes.shape
    whole = width // simd.LANES * simd.LANES
    row = np.zeros(width + 4 * simd.LANES, f4)
    for at in range(_ROWS * chunk, min(_ROWS * (chunk + 1), count * height)):
        plane, y = at // height, at % height
        low, high = max(-_HALF, -y), min(_HALF, height - 1 - y)
        for x in range(0, whole, simd.LANES):
            total = simd.splat(f4(0))
            for k in range(low, high + 1):
                total += simd.load(planes, (at + k) * width + x) * _WEIGHTS[k + _HALF]
            simd.store(row, simd.LANES + x, total)
        for x in range(whole, width):
            rest = f4(0)
            for k in range(low, high + 1):
                rest += planes[plane, y + k, x] * _WEIGHTS[k + _HALF]
            row[simd.LANES + x] = rest
        for x in range(0, whole, simd.LANES):
            total = simd.splat(f4(0))
            for k in range(TAPS):
                total += simd.load(row, simd.LANES - _HALF + x + k) * _WEIGHTS[k]
            simd.store(result, at * width + x, total)
        for x in range(whole, width):
            rest = f4(0)
            for k in range(TAPS):
                rest += row[simd.LANES - _HALF + x + k] * _WEIGHTS[k]
            result[plane, y, x] = rest


@compiled
def blur_planes(pool, planes, result):
    """Blurs planes [C, H, W] into result [C, H, W]; both C-contiguous float32."""
    rows = planes.shape[0] * planes.shape[1]
    for_each(pool, (rows + _ROWS - 1) // _ROWS, _blur_rows, (planes, result))
