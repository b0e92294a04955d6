"""Colours from spherical harmonics (Triton): the GPU's twin of `harmonics`, a lane per Gaussian."""

import triton.language as tl

from gaussiantalker.splatting.rules import HARMONICS
from gaussiantalker.splatting.triton_launch import jit
from gaussiantalker.splatting.triton_projection import put_three, three

BLOCK = 128

_FACTORS = tuple(tuple(tl.constexpr(x) for x in degree) for degree in HARMONICS)
(_C0,), (_C1,), (_C2, _D2, _E2), (_C3, _D3, _E3, _F3, _G3) = _FACTORS
# Constants stand on the right: on the left of a tensor the interpreter would take the product for a constant.


@jit
def _basis(x, y, z, K: tl.constexpr):
    """Basis function K at unit directions."""
    xx, yy, zz = x * x, y * y, z * z
    if K == 0:
        value = 0.0 * x + _C0
    elif K == 1:
        value = y * -_C1
    elif K == 2:
        value = z * _C1
    elif K == 3:
        value = x * -_C1
    elif K == 4:
        value = x * y * _C2
    elif K == 5:
        value = y * z * -_C2
    elif K == 6:
        value = (2.0 * zz - xx - yy) * _D2
    elif K == 7:
        value = x * z * -_C2
    elif K == 8:
        value = (xx - yy) * _E2
    elif K == 9:
        value = y * (3.0 * xx - yy) * -_C3
    elif K == 10:
        value = x * y * z * _D3
    elif K == 11:
        value = y * (4.0 * zz - xx - yy) * -_E3
    elif K == 12:
        value = z * (2.0 * zz - 3.0 * xx - 3.0 * yy) * _F3
    elif K == 13:
        value = x * (4.0 * zz - xx - yy) * -_E3
    elif K == 14:
        value = z * (xx - yy) * _G3
    else:
        value = x * (xx - 3.0 * yy) * -_C3
    return value


@jit
def _slope(x, y, z, K: tl.constexpr):
    """The gradient of basis function K with respect to the direction."""
    xx, yy, zz, zero = x * x, y * y, z * z, 0.0 * x
    if K == 0:
        dx, dy, dz = zero, zero, zero
    elif K == 1:
        dx, dy, dz = zero, zero - _C1, zero
    elif K == 2:
        dx, dy, dz = zero, zero, zero + _C1
    elif K == 3:
        dx, dy, dz = zero - _C1, zero, zero
    elif K == 4:
        dx, dy, dz = y * _C2, x * _C2, zero
    elif K == 5:
        dx, dy, dz = zero, z * -_C2, y * -_C2
    elif K == 6:
        dx, dy, dz = -2.0 * x * _D2, -2.0 * y * _D2, 4.0 * z * _D2
    elif K == 7:
        dx, dy, dz = z * -_C2, zero, x * -_C2
    elif K == 8:
        dx, dy, dz = 2.0 * x * _E2, -2.0 * y * _E2, zero
    elif K == 9:
        dx, dy, dz = -6.0 * x * y * _C3, -3.0 * (xx - yy) * _C3, zero
    elif K == 10:
        dx, dy, dz = y * z * _D3, x * z * _D3, x * y * _D3
    elif K == 11:
        dx, dy, dz = 2.0 * x * y * _E3, (4.0 * zz - xx - 3.0 * yy) * -_E3, -8.0 * y * z * _E3
    elif K == 12:
        dx, dy, dz = -6.0 * x * z * _F3, -6.0 * y * z * _F3, (6.0 * zz - 3.0 * xx - 3.0 * yy) * _F3
    elif K == 13:
        dx, dy, dz = (4.0 * zz - 3.0 * xx - yy) * -_E3, 2.0 * x * y * _E3, -8.0 * x * z * _E3
    elif K == 14:
        dx, dy, dz = 2.0 * x * z * _G3, -2.0 * y * z * _G3, (xx - yy) * _G3
    else:
        dx, dy, dz = -3.0 * (xx - yy) * _C3, 6.0 * x * y * _C3, zero
    return dx, dy, dz


@jit
def _direction(means, eyes, frame, g, inside):
    """Unit vectors from the eye to Gaussians, and the inverse distances."""
    x, y, z = three(means, g, inside)
    eye = eyes + 3 * frame
    x, y, z = x - tl.load(eye), y - tl.load(eye + 1), z - tl.load(eye + 2)
    inverse = 1.0 / tl.sqrt(tl.maximum(x * x + y * y + z * z, 1e-24))
    return x * inverse, y * inverse, z * inverse, inverse


@jit(do_not_specialize=["n", "columns", "means_stride", "sh_stride"])
def shade(
    means, eyes, sh, colors, n, columns, means_stride, sh_stride, COUNT: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """Colours [F, N, 3] seen from eyes [F, 3] by the first COUNT of the harmonics [1 or F, N, columns]."""
    g, frame = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.program_id(1).to(tl.int64)
    inside = g < n
    x, y, z, _ = _direction(means + frame * means_stride, eyes, frame, g, inside)
    row = sh + frame * sh_stride + g.to(tl.int64) * columns
    red = 0.0 * x + 0.5
    green, blue = red, red
    for k in tl.static_range(COUNT):  # pyright: ignore[reportGeneralTypeIssues]
        weight = _basis(x, y, z, k)
        red += weight * tl.load(row + 3 * k, mask=inside, other=0.0)
        green += weight * tl.load(row + 3 * k + 1, mask=inside, other=0.0)
        blue += weight * tl.load(row + 3 * k + 2, mask=inside, other=0.0)
    put_three(
        colors, frame * n + g, inside, tl.maximum(red, 0.0), tl.maximum(green, 0.0), tl.maximum(blue, 0.0)
    )  # fmt: skip


@jit(do_not_specialize=["n", "columns", "means_stride", "sh_stride"])
def shade_gradient(
    means, eyes, sh, colors, to_colors, to_means, to_sh,
    n, columns, means_stride, sh_stride, COUNT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients to the means [F, N, 3], whose negative sum over N is the eyes', and to the first COUNT of the
    harmonics [F, N, columns]."""
    g, frame = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.program_id(1).to(tl.int64)
    inside, at = g < n, frame * n + g
    x, y, z, inverse = _direction(means + frame * means_stride, eyes, frame, g, inside)
    shown_red, shown_green, shown_blue = three(colors, at, inside)
    red, green, blue = three(to_colors, at, inside)
    # A colour cut at zero passes no gradient.
    red = tl.where(shown_red > 0, red, 0.0)
    green = tl.where(shown_green > 0, green, 0.0)
    blue = tl.where(shown_blue > 0, blue, 0.0)
    row, to_row = sh + frame * sh_stride + g.to(tl.int64) * columns, to_sh + at * columns
    gx = 0.0 * x
    gy, gz = gx, gx
    for k in tl.static_range(COUNT):  # pyright: ignore[reportGeneralTypeIssues]
        weight = _basis(x, y, z, k)
        along = red * tl.load(row + 3 * k, mask=inside, other=0.0)
        along += green * tl.load(row + 3 * k + 1, mask=inside, other=0.0)
        along += blue * tl.load(row + 3 * k + 2, mask=inside, other=0.0)
        tl.store(to_row + 3 * k, weight * red, mask=inside)
        tl.store(to_row + 3 * k + 1, weight * green, mask=inside)
        tl.store(to_row + 3 * k + 2, weight * blue, mask=inside)
        dx, dy, dz = _slope(x, y, z, k)
        gx += along * dx
        gy += along * dy
        gz += along * dz
    outwards = gx * x + gy * y + gz * z
    put_three(
        to_means, at, inside,
        (gx - x * outwards) * inverse, (gy - y * outwards) * inverse, (gz - z * outwards) * inverse,
    )  # fmt: skip
