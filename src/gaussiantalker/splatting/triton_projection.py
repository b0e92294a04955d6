"""3D Gaussians to 2D Gaussians and back (Triton): the GPU's twin of `projection`, a lane per Gaussian.

Attributes [1, N, C] are shared by all frames; their stride between frames is then zero.
"""

import triton.language as tl

from gaussiantalker.splatting.rules import MARGIN
from gaussiantalker.splatting.triton_launch import jit

BLOCK = 128
_MARGIN = tl.constexpr(MARGIN)


@jit
def _view(views, frame):
    """The twelve numbers of one camera's [R|t], row by row."""
    v = views + 16 * frame
    return (
        tl.load(v), tl.load(v + 1), tl.load(v + 2), tl.load(v + 3),
        tl.load(v + 4), tl.load(v + 5), tl.load(v + 6), tl.load(v + 7),
        tl.load(v + 8), tl.load(v + 9), tl.load(v + 10), tl.load(v + 11),
    )  # fmt: skip


@jit
def _lens(Ks, frame):
    """Focal lengths and principal point of one camera, in pixels."""
    k = Ks + 9 * frame
    return tl.load(k), tl.load(k + 4), tl.load(k + 2), tl.load(k + 5)


@jit
def three(base, g, inside):
    """Columns of rows [N, 3]; zeros beyond the last row."""
    at = base + 3 * g
    return (
        tl.load(at, mask=inside, other=0.0),
        tl.load(at + 1, mask=inside, other=0.0),
        tl.load(at + 2, mask=inside, other=0.0),
    )


@jit
def put_three(base, g, inside, x, y, z):
    at = base + 3 * g
    tl.store(at, x, mask=inside)
    tl.store(at + 1, y, mask=inside)
    tl.store(at + 2, z, mask=inside)


@jit
def _unit_quaternion(quats, g, inside):
    """Unit quaternions and the inverse of their lengths."""
    at = quats + 4 * g
    w, x = tl.load(at, mask=inside, other=0.0), tl.load(at + 1, mask=inside, other=0.0)
    y, z = tl.load(at + 2, mask=inside, other=0.0), tl.load(at + 3, mask=inside, other=0.0)
    inverse = 1.0 / tl.sqrt(tl.maximum(w * w + x * x + y * y + z * z, 1e-24))
    return w * inverse, x * inverse, y * inverse, z * inverse, inverse


@jit
def _rotation(w, x, y, z):
    return (
        1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y),
        2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x),
        2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y),
    )  # fmt: skip


@jit
def _held(direction, focal, centre, size):
    """The direction within 1.3 times the picture, where the perspective is linearised."""
    margin = _MARGIN * size / focal
    return tl.minimum(tl.maximum(direction, -centre / focal - margin), (size - centre) / focal + margin)


@jit
def _axes(j0, j1, j2, r0, r1, r2, r3, r4, r5, r6, r7, r8, s0, s1, s2):
    """One row of the linearised camera times the Gaussians' principal axes."""
    return (
        (j0 * r0 + j1 * r3 + j2 * r6) * s0,
        (j0 * r1 + j1 * r4 + j2 * r7) * s1,
        (j0 * r2 + j1 * r5 + j2 * r8) * s2,
    )


@jit(do_not_specialize=["n", "means_stride", "quats_stride", "scales_stride"])
def project(
    means, quats, scales, views, Ks, means2d, covariances, determinants, depths,
    n, means_stride, quats_stride, scales_stride, width, height, near, far, eps2d,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """means2d [F, N, 2], covariances [F, N, 3] (xx, xy, yy), determinants [F, N] and depths [F, N].

    Gaussians beyond the near and far planes get harmless numbers. The grid is blocks of Gaussians by frames.
    """
    g, frame = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.program_id(1).to(tl.int64)
    inside = g < n
    c0, c1, c2, t0, c3, c4, c5, t1, c6, c7, c8, t2 = _view(views, frame)
    fx, fy, cx, cy = _lens(Ks, frame)
    px, py, pz = three(means + frame * means_stride, g, inside)
    z = c6 * px + c7 * py + c8 * pz + t2
    seen = (z >= near) & (z <= far)
    inverse_z = 1.0 / tl.maximum(z, near)
    x, y = (c0 * px + c1 * py + c2 * pz + t0) * inverse_z, (c3 * px + c4 * py + c5 * pz + t1) * inverse_z
    held_x, held_y = _held(x, fx, cx, width), _held(y, fy, cy, height)
    qw, qx, qy, qz, _ = _unit_quaternion(quats + frame * quats_stride, g, inside)
    r0, r1, r2, r3, r4, r5, r6, r7, r8 = _rotation(qw, qx, qy, qz)
    s0, s1, s2 = three(scales + frame * scales_stride, g, inside)
    jx, jy = fx * inverse_z, fy * inverse_z
    j0, j1, j2 = jx * (c0 - held_x * c6), jx * (c1 - held_x * c7), jx * (c2 - held_x * c8)
    j3, j4, j5 = jy * (c3 - held_y * c6), jy * (c4 - held_y * c7), jy * (c5 - held_y * c8)
    u0, u1, u2 = _axes(j0, j1, j2, r0, r1, r2, r3, r4, r5, r6, r7, r8, s0, s1, s2)
    v0, v1, v2 = _axes(j3, j4, j5, r0, r1, r2, r3, r4, r5, r6, r7, r8, s0, s1, s2)
    uu, uv, vv = u0 * u0 + u1 * u1 + u2 * u2, u0 * v0 + u1 * v1 + u2 * v2, v0 * v0 + v1 * v1 + v2 * v2
    # The determinant by Lagrange's identity: xx yy - xy^2 would cancel for a long thin Gaussian.
    k0, k1, k2 = u1 * v2 - u2 * v1, u2 * v0 - u0 * v2, u0 * v1 - u1 * v0
    determinant = k0 * k0 + k1 * k1 + k2 * k2 + eps2d * (uu + vv) + eps2d * eps2d
    at = frame * n + g
    tl.store(means2d + 2 * at, tl.where(seen, fx * x + cx, cx), mask=inside)
    tl.store(means2d + 2 * at + 1, tl.where(seen, fy * y + cy, cy), mask=inside)
    put_three(covariances, at, inside, uu + eps2d, uv, vv + eps2d)
    tl.store(determinants + at, determinant, mask=inside)
    tl.store(depths + at, z, mask=inside)


@jit
def _put_quaternion_gradient(to_quats, at, inside, w, x, y, z, inverse, g0, g1, g2, g3, g4, g5, g6, g7, g8):
    """From the nine rotation entries to a quaternion of any length."""
    to_w = x * (g7 - g5) + y * (g2 - g6) + z * (g3 - g1)
    to_x = y * (g1 + g3) + z * (g2 + g6) + w * (g7 - g5) - 2.0 * x * (g4 + g8)
    to_y = x * (g1 + g3) + z * (g5 + g7) + w * (g2 - g6) - 2.0 * y * (g0 + g8)
    to_z = x * (g2 + g6) + y * (g5 + g7) + w * (g3 - g1) - 2.0 * z * (g0 + g4)
    along = to_w * w + to_x * x + to_y * y + to_z * z
    length = 2.0 * inverse
    tl.store(to_quats + 4 * at, (to_w - w * along) * length, mask=inside)
    tl.store(to_quats + 4 * at + 1, (to_x - x * along) * length, mask=inside)
    tl.store(to_quats + 4 * at + 2, (to_y - y * along) * length, mask=inside)
    tl.store(to_quats + 4 * at + 3, (to_z - z * along) * length, mask=inside)


@jit
def _shape_gradient(
    quats, scales, to_quats, to_scales, g, at, inside,
    j0, j1, j2, j3, j4, j5, to_xx, to_xy, to_yy,
):  # fmt: skip
    """Writes the gradients to quaternions and scales; returns those to the linearised camera's two rows."""
    qw, qx, qy, qz, inverse = _unit_quaternion(quats, g, inside)
    r0, r1, r2, r3, r4, r5, r6, r7, r8 = _rotation(qw, qx, qy, qz)
    s0, s1, s2 = three(scales, g, inside)
    u0, u1, u2 = _axes(j0, j1, j2, r0, r1, r2, r3, r4, r5, r6, r7, r8, s0, s1, s2)
    v0, v1, v2 = _axes(j3, j4, j5, r0, r1, r2, r3, r4, r5, r6, r7, r8, s0, s1, s2)
    xx, xy, yy = 2.0 * to_xx, to_xy, 2.0 * to_yy
    a0, a1, a2 = xx * u0 + xy * v0, xx * u1 + xy * v1, xx * u2 + xy * v2
    b0, b1, b2 = yy * v0 + xy * u0, yy * v1 + xy * u1, yy * v2 + xy * u2
    y0, y1, y2 = j0 * a0 + j3 * b0, j0 * a1 + j3 * b1, j0 * a2 + j3 * b2
    y3, y4, y5 = j1 * a0 + j4 * b0, j1 * a1 + j4 * b1, j1 * a2 + j4 * b2
    y6, y7, y8 = j2 * a0 + j5 * b0, j2 * a1 + j5 * b1, j2 * a2 + j5 * b2
    to_s0, to_s1, to_s2 = y0 * r0 + y3 * r3 + y6 * r6, y1 * r1 + y4 * r4 + y7 * r7, y2 * r2 + y5 * r5 + y8 * r8
    put_three(to_scales, at, inside, to_s0, to_s1, to_s2)
    _put_quaternion_gradient(
        to_quats, at, inside, qw, qx, qy, qz, inverse,
        y0 * s0, y1 * s1, y2 * s2, y3 * s0, y4 * s1, y5 * s2, y6 * s0, y7 * s1, y8 * s2,
    )  # fmt: skip
    a0, a1, a2, b0, b1, b2 = a0 * s0, a1 * s1, a2 * s2, b0 * s0, b1 * s1, b2 * s2
    return (
        a0 * r0 + a1 * r1 + a2 * r2, a0 * r3 + a1 * r4 + a2 * r5, a0 * r6 + a1 * r7 + a2 * r8,
        b0 * r0 + b1 * r1 + b2 * r2, b0 * r3 + b1 * r4 + b2 * r5, b0 * r6 + b1 * r7 + b2 * r8,
    )  # fmt: skip


@jit
def _put_row_sums(sums, px, py, pz, to_x, to_y, to_z, jx, jy, held_x, held_y, a0, a1, a2, b0, b1, b2):
    """One block's share of the gradient to [R|t], its twelve numbers row by row."""
    qx, qy = -jx * held_x, -jy * held_y
    tl.store(sums, tl.sum(to_x * px + jx * a0, 0))
    tl.store(sums + 1, tl.sum(to_x * py + jx * a1, 0))
    tl.store(sums + 2, tl.sum(to_x * pz + jx * a2, 0))
    tl.store(sums + 3, tl.sum(to_x, 0))
    tl.store(sums + 4, tl.sum(to_y * px + jy * b0, 0))
    tl.store(sums + 5, tl.sum(to_y * py + jy * b1, 0))
    tl.store(sums + 6, tl.sum(to_y * pz + jy * b2, 0))
    tl.store(sums + 7, tl.sum(to_y, 0))
    tl.store(sums + 8, tl.sum(to_z * px + qx * a0 + qy * b0, 0))
    tl.store(sums + 9, tl.sum(to_z * py + qx * a1 + qy * b1, 0))
    tl.store(sums + 10, tl.sum(to_z * pz + qx * a2 + qy * b2, 0))
    tl.store(sums + 11, tl.sum(to_z, 0))


@jit(do_not_specialize=["n", "means_stride", "quats_stride", "scales_stride"])
def project_gradient(
    means, quats, scales, views, Ks, to_means2d, to_covariances, to_depths, to_means, to_quats, to_scales, view_sums,
    n, means_stride, quats_stride, scales_stride, width, height, near, far,
    WANT_VIEWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients to means, quats and scales, each [F, N, C], and to the cameras' [R|t]: [F, blocks, 12], to be summed
    over blocks; untouched unless wanted."""
    g, frame = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.program_id(1).to(tl.int64)
    inside, at = g < n, frame * n + g
    c0, c1, c2, t0, c3, c4, c5, t1, c6, c7, c8, t2 = _view(views, frame)
    fx, fy, cx, cy = _lens(Ks, frame)
    px, py, pz = three(means + frame * means_stride, g, inside)
    z = c6 * px + c7 * py + c8 * pz + t2
    seen = inside & (z >= near) & (z <= far)
    inverse_z = 1.0 / tl.maximum(z, near)
    x, y = (c0 * px + c1 * py + c2 * pz + t0) * inverse_z, (c3 * px + c4 * py + c5 * pz + t1) * inverse_z
    held_x, held_y = _held(x, fx, cx, width), _held(y, fy, cy, height)
    jx, jy = fx * inverse_z, fy * inverse_z
    j0, j1, j2 = jx * (c0 - held_x * c6), jx * (c1 - held_x * c7), jx * (c2 - held_x * c8)
    j3, j4, j5 = jy * (c3 - held_y * c6), jy * (c4 - held_y * c7), jy * (c5 - held_y * c8)
    to_xx, to_xy, to_yy = three(to_covariances, at, seen)
    a0, a1, a2, b0, b1, b2 = _shape_gradient(
        quats + frame * quats_stride, scales + frame * scales_stride, to_quats, to_scales, g, at, inside,
        j0, j1, j2, j3, j4, j5, to_xx, to_xy, to_yy,
    )  # fmt: skip
    u_along_z, v_along_z = a0 * c6 + a1 * c7 + a2 * c8, b0 * c6 + b1 * c7 + b2 * c8
    to_jx = a0 * c0 + a1 * c1 + a2 * c2 - held_x * u_along_z
    to_jy = b0 * c3 + b1 * c4 + b2 * c5 - held_y * v_along_z
    # Where the direction is held at the picture's margin, the linearisation no longer follows the centre.
    to_x = fx * tl.load(to_means2d + 2 * at, mask=seen, other=0.0) - tl.where(held_x == x, jx * u_along_z, 0.0)
    to_y = fy * tl.load(to_means2d + 2 * at + 1, mask=seen, other=0.0) - tl.where(held_y == y, jy * v_along_z, 0.0)
    to_z = tl.load(to_depths + at, mask=inside, other=0.0) - inverse_z * (to_x * x + to_y * y + jx * to_jx + jy * to_jy)
    to_x, to_y = to_x * inverse_z, to_y * inverse_z
    put_three(
        to_means, at, inside,
        c0 * to_x + c3 * to_y + c6 * to_z, c1 * to_x + c4 * to_y + c7 * to_z, c2 * to_x + c5 * to_y + c8 * to_z,
    )  # fmt: skip
    if WANT_VIEWS:
        sums = view_sums + (frame * tl.num_programs(0) + tl.program_id(0)) * 12
        _put_row_sums(sums, px, py, pz, to_x, to_y, to_z, jx, jy, held_x, held_y, a0, a1, a2, b0, b1, b2)
