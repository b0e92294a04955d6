"""Colours from spherical harmonics in numba: the kernel twin of `reference.shade`, with a written-out gradient.

Sixteen Gaussians at a time: the basis lies in a scratch array, vector k for basis function k.
"""

import numpy as np
from numpy import float32 as f4

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.lanes import CHUNK, of_frame, padded, put_back, zero_padded
from gaussiantalker.kernels.threads import compiled, for_each, helper
from gaussiantalker.splatting.rules import HARMONICS

_FIRST = np.int64(0)

_HALF, _ONE, _TWO, _THREE, _FOUR, _SIX, _EIGHT = (f4(x) for x in (0.5, 1, 2, 3, 4, 6, 8))
(_C0,), (_C1,), (_C2, _D2, _E2), (_C3, _D3, _E3, _F3, _G3) = ([f4(x) for x in degree] for degree in HARMONICS)


@helper
def write_basis(degree, x, y, z, basis):
    """The basis at unit directions of sixteen Gaussians: vector k of the flat array is function k."""
    simd.store(basis, 0, simd.splat(_C0))
    if degree > 0:
        simd.store(basis, 16, -_C1 * y)
        simd.store(basis, 32, _C1 * z)
        simd.store(basis, 48, -_C1 * x)
    xx, yy, zz = x * x, y * y, z * z
    if degree > 1:
        simd.store(basis, 64, _C2 * x * y)
        simd.store(basis, 80, -_C2 * y * z)
        simd.store(basis, 96, _D2 * (_TWO * zz - xx - yy))
        simd.store(basis, 112, -_C2 * x * z)
        simd.store(basis, 128, _E2 * (xx - yy))
    if degree > 2:
        simd.store(basis, 144, -_C3 * y * (_THREE * xx - yy))
        simd.store(basis, 160, _D3 * x * y * z)
        simd.store(basis, 176, -_E3 * y * (_FOUR * zz - xx - yy))
        simd.store(basis, 192, _F3 * z * (_TWO * zz - _THREE * xx - _THREE * yy))
        simd.store(basis, 208, -_E3 * x * (_FOUR * zz - xx - yy))
        simd.store(basis, 224, _G3 * z * (xx - yy))
        simd.store(basis, 240, -_C3 * x * (xx - _THREE * yy))


@helper
def _basis_gradient(degree, x, y, z, u):
    """Sum over k of u[k] times the gradient of basis function k with respect to the direction."""
    gx = gy = gz = simd.splat(f4(0))
    xx, yy, zz = x * x, y * y, z * z
    if degree > 0:
        gx, gy, gz = -_C1 * simd.load(u, 48), -_C1 * simd.load(u, 16), _C1 * simd.load(u, 32)
    if degree > 1:
        u4, u5, u6, u7, u8 = (
            simd.load(u, 64), simd.load(u, 80), simd.load(u, 96), simd.load(u, 112), simd.load(u, 128)
        )  # fmt: skip
        gx = gx + _C2 * (y * u4 - z * u7) + _TWO * x * (_E2 * u8 - _D2 * u6)
        gy = gy + _C2 * (x * u4 - z * u5) - _TWO * y * (_E2 * u8 + _D2 * u6)
        gz = gz - _C2 * (y * u5 + x * u7) + _FOUR * _D2 * z * u6
    if degree > 2:
        u9, u10, u11, u12 = simd.load(u, 144), simd.load(u, 160), simd.load(u, 176), simd.load(u, 192)
        u13, u14, u15 = simd.load(u, 208), simd.load(u, 224), simd.load(u, 240)
        difference, product = _THREE * _C3 * (xx - yy), _SIX * _C3 * x * y
        mixed = _TWO * _E3 * x * y
        gx = gx - product * u9 + _D3 * y * z * u10 + mixed * u11 - _SIX * _F3 * x * z * u12
        gx = gx - _E3 * (_FOUR * zz - _THREE * xx - yy) * u13 + _TWO * _G3 * x * z * u14 - difference * u15
        gy = gy - difference * u9 + _D3 * x * z * u10 - _E3 * (_FOUR * zz - xx - _THREE * yy) * u11
        gy = gy - _SIX * _F3 * y * z * u12 + mixed * u13 - _TWO * _G3 * y * z * u14 + product * u15
        gz = gz + _D3 * x * y * u10 - _EIGHT * _E3 * z * (y * u11 + x * u13)
        gz = gz + _F3 * (_SIX * zz - _THREE * xx - _THREE * yy) * u12 + _G3 * (xx - yy) * u14
    return gx, gy, gz


@helper
def _direction(means, g, eye):
    """Unit vectors from the eye to sixteen Gaussians, and the inverse distances."""
    x, y, z = simd.column(means, g, 0) - eye[0], simd.column(means, g, 1) - eye[1], simd.column(means, g, 2) - eye[2]
    inverse = _ONE / simd.sqrt(simd.maximum(x * x + y * y + z * z, f4(1e-24)))
    return x * inverse, y * inverse, z * inverse, inverse


@helper
def _shade_sixteen(g, degree, eye, means, sh, colors, basis):
    x, y, z, _ = _direction(means, g, eye)
    write_basis(degree, x, y, z, basis)
    red = green = blue = simd.splat(_HALF)
    for k in range((degree + 1) ** 2):
        weight = simd.load(basis, 16 * k)
        red += weight * simd.column(sh, g, 3 * k)
        green += weight * simd.column(sh, g, 3 * k + 1)
        blue += weight * simd.column(sh, g, 3 * k + 2)
    simd.put_column(colors, g, 0, simd.maximum(red, f4(0)))
    simd.put_column(colors, g, 1, simd.maximum(green, f4(0)))
    simd.put_column(colors, g, 2, simd.maximum(blue, f4(0)))


@helper
def _shade_chunk(item, chunks, degree, eyes, means, sh, colors):
    frame, chunk = item // chunks, item % chunks
    m, h, result = of_frame(means, frame), of_frame(sh, frame), colors[frame]
    basis = np.empty(16 * simd.LANES, f4)
    for g in range(CHUNK * chunk, min(CHUNK * (chunk + 1), len(m)), simd.LANES):
        if g + simd.LANES <= len(m):
            _shade_sixteen(g, degree, eyes[frame], m, h, result, basis)
        else:
            rest = padded(result, g)
            _shade_sixteen(_FIRST, degree, eyes[frame], padded(m, g), padded(h, g), rest, basis)
            put_back(result, g, rest)


@compiled
def shade(pool, degree, eyes, means, sh):
    """Colours [F, N, 3] seen from eyes [F, 3]; means [1 or F, N, 3], harmonics [1 or F, N, 3 K]."""
    frames, n = len(eyes), means.shape[1]
    colors = np.empty((frames, n, 3), f4)
    chunks = (n + CHUNK - 1) // CHUNK
    for_each(pool, frames * chunks, _shade_chunk, (chunks, degree, eyes, means, sh, colors))
    return colors


@helper
def _shade_gradient_sixteen(g, degree, eye, inputs, to_colors, outputs, basis, scratch):
    means, sh, colors = inputs
    to_means, to_sh = outputs
    # A colour cut at zero passes no gradient.
    red = simd.select(simd.column(colors, g, 0) > f4(0), simd.column(to_colors, g, 0), f4(0))
    green = simd.select(simd.column(colors, g, 1) > f4(0), simd.column(to_colors, g, 1), f4(0))
    blue = simd.select(simd.column(colors, g, 2) > f4(0), simd.column(to_colors, g, 2), f4(0))
    x, y, z, inverse = _direction(means, g, eye)
    write_basis(degree, x, y, z, basis)
    for k in range((degree + 1) ** 2):
        weight = simd.load(basis, 16 * k)
        along = (
            simd.column(sh, g, 3 * k) * red
            + simd.column(sh, g, 3 * k + 1) * green
            + simd.column(sh, g, 3 * k + 2) * blue
        )
        simd.store(scratch, 16 * k, along)
        simd.put_column(to_sh, g, 3 * k, weight * red)
        simd.put_column(to_sh, g, 3 * k + 1, weight * green)
        simd.put_column(to_sh, g, 3 * k + 2, weight * blue)
    for k in range(3 * (degree + 1) ** 2, sh.shape[1]):
        simd.put_column(to_sh, g, k, simd.splat(f4(0)))
    gx, gy, gz = _basis_gradient(degree, x, y, z, scratch)
    outwards = gx * x + gy * y + gz * z
    simd.put_column(to_means, g, 0, (gx - x * outwards) * inverse)
    simd.put_column(to_means, g, 1, (gy - y * outwards) * inverse)
    simd.put_column(to_means, g, 2, (gz - z * outwards) * inverse)


@helper
def _shade_gradient_chunk(item, chunks, degree, eyes, means, sh, colors, to_colors, to_means, to_sh):
    frame, chunk = item // chunks, item % chunks
    m, h, color, up = of_frame(means, frame), of_frame(sh, frame), colors[frame], to_colors[frame]
    out = to_means[frame], to_sh[frame]
    basis, scratch = np.empty(16 * simd.LANES, f4), np.empty(16 * simd.LANES, f4)
    for g in range(CHUNK * chunk, min(CHUNK * (chunk + 1), len(m)), simd.LANES):
        if g + simd.LANES <= len(m):
            _shade_gradient_sixteen(g, degree, eyes[frame], (m, h, color), up, out, basis, scratch)
        else:
            rest, up_rest = (padded(m, g), padded(h, g), padded(color, g)), zero_padded(up, g)
            results = padded(out[0], g), padded(out[1], g)
            _shade_gradient_sixteen(_FIRST, degree, eyes[frame], rest, up_rest, results, basis, scratch)
            put_back(out[0], g, results[0])
            put_back(out[1], g, results[1])


@compiled
def shade_gradient(pool, degree, eyes, means, sh, colors, to_colors):
    """Gradients to the means [F, N, 3], whose negative sum over N is the eyes', and to the harmonics [F, N, 3 K]."""
    frames, n = len(eyes), means.shape[1]
    to_means, to_sh = np.empty((frames, n, 3), f4), np.empty((frames, n, sh.shape[2]), f4)
    chunks = (n + CHUNK - 1) // CHUNK
    arguments = (chunks, degree, eyes, means, sh, colors, to_colors, to_means, to_sh)
    for_each(pool, frames * chunks, _shade_gradient_chunk, arguments)
    return to_means, to_sh
