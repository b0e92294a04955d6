"""3D Gaussians to 2D Gaussians and back (numba): the kernel twin of `reference.project`, with a written-out gradient.

A camera is a row of floats, see `camera_rows`. Attributes [1, N, C] are shared by all frames, [F, N, C] are not.
"""

import numpy as np
from numpy import float32 as f4

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.lanes import CHUNK, of_frame, padded, put_back, zero_padded
from gaussiantalker.kernels.threads import compiled, for_each, helper
from gaussiantalker.splatting.rules import MARGIN

_FIRST = np.int64(0)

ROTATION, TRANSLATION, FX, FY, CX, CY, LOW_X, HIGH_X, LOW_Y, HIGH_Y, NEAR, FAR, EPS = 0, 9, *range(12, 23)
_ONE, _TWO, _HALF = f4(1), f4(2), f4(0.5)


def camera_rows(viewmats, Ks, width: int, height: int, near: float, far: float, eps2d: float) -> np.ndarray:
    """[F, 23] float32 from arrays [F, 4, 4] and [F, 3, 3]."""
    frames = len(viewmats)
    rows = np.empty((frames, 23))
    rows[:, :9], rows[:, 9:12] = viewmats[:, :3, :3].reshape(frames, 9), viewmats[:, :3, 3]
    fx, fy, cx, cy = Ks[:, 0, 0], Ks[:, 1, 1], Ks[:, 0, 2], Ks[:, 1, 2]
    margin_x, margin_y = MARGIN * width / fx, MARGIN * height / fy
    limits = -cx / fx - margin_x, (width - cx) / fx + margin_x, -cy / fy - margin_y, (height - cy) / fy + margin_y
    for k, value in enumerate((fx, fy, cx, cy, *limits, near, far, eps2d)):
        rows[:, FX + k] = value
    return rows.astype(f4)


@helper
def _rotation(quats, g):
    """Unit quaternions of sixteen Gaussians, the inverse of their lengths, and the nine rotation entries."""
    w, x, y, z = simd.column(quats, g, 0), simd.column(quats, g, 1), simd.column(quats, g, 2), simd.column(quats, g, 3)
    inverse = _ONE / simd.sqrt(simd.maximum(w * w + x * x + y * y + z * z, f4(1e-24)))
    w, x, y, z = w * inverse, x * inverse, y * inverse, z * inverse
    r = (
        _ONE - _TWO * (y * y + z * z), _TWO * (x * y - w * z), _TWO * (x * z + w * y),
        _TWO * (x * y + w * z), _ONE - _TWO * (x * x + z * z), _TWO * (y * z - w * x),
        _TWO * (x * z - w * y), _TWO * (y * z + w * x), _ONE - _TWO * (x * x + y * y),
    )  # fmt: skip
    return (w, x, y, z), inverse, r


@helper
def _place(means, g, c):
    """Depth of sixteen Gaussians, whether it is within the planes, its safe inverse, and the direction x/z, y/z."""
    px, py, pz = simd.column(means, g, 0), simd.column(means, g, 1), simd.column(means, g, 2)
    x = c[0] * px + c[1] * py + c[2] * pz + c[9]
    y = c[3] * px + c[4] * py + c[5] * pz + c[10]
    z = c[6] * px + c[7] * py + c[8] * pz + c[11]
    inverse = _ONE / simd.maximum(z, c[NEAR])
    return z, (z >= c[NEAR]) & (z <= c[FAR]), inverse, x * inverse, y * inverse


@helper
def _axes(c, inverse_z, held_x, held_y, r, s):
    """The linearised camera J R (2x3) and the Gaussians' principal axes u, v in pixels (three each)."""
    jx, jy = c[FX] * inverse_z, c[FY] * inverse_z
    j = (
        jx * (c[0] - held_x * c[6]), jx * (c[1] - held_x * c[7]), jx * (c[2] - held_x * c[8]),
        jy * (c[3] - held_y * c[6]), jy * (c[4] - held_y * c[7]), jy * (c[5] - held_y * c[8]),
    )  # fmt: skip
    u = (
        (j[0] * r[0] + j[1] * r[3] + j[2] * r[6]) * s[0],
        (j[0] * r[1] + j[1] * r[4] + j[2] * r[7]) * s[1],
        (j[0] * r[2] + j[1] * r[5] + j[2] * r[8]) * s[2],
    )
    v = (
        (j[3] * r[0] + j[4] * r[3] + j[5] * r[6]) * s[0],
        (j[3] * r[1] + j[4] * r[4] + j[5] * r[7]) * s[1],
        (j[3] * r[2] + j[4] * r[5] + j[5] * r[8]) * s[2],
    )
    return j, u, v


@helper
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@helper
def _covariance(u, v, eps):
    """The covariance (xx, xy, yy), and its determinant by Lagrange's identity: xx yy - xy^2 would cancel."""
    uu, uv, vv = _dot(u, u), _dot(u, v), _dot(v, v)
    x, y, z = u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]
    return (uu + eps, uv, vv + eps), x * x + y * y + z * z + eps * (uu + vv) + eps * eps


@helper
def _held(value, low, high):
    return simd.minimum(simd.maximum(value, low), high)


@helper
def _project_sixteen(g, c, means, quats, scales, means2d, covariances, determinants, depths):
    z, seen, inverse_z, x, y = _place(means, g, c)
    _, _, r = _rotation(quats, g)
    s = simd.column(scales, g, 0), simd.column(scales, g, 1), simd.column(scales, g, 2)
    _, u, v = _axes(c, inverse_z, _held(x, c[LOW_X], c[HIGH_X]), _held(y, c[LOW_Y], c[HIGH_Y]), r, s)
    covariance, determinant = _covariance(u, v, c[EPS])
    simd.put_column(means2d, g, 0, simd.select(seen, c[FX] * x + c[CX], c[CX]))
    simd.put_column(means2d, g, 1, simd.select(seen, c[FY] * y + c[CY], c[CY]))
    for k in range(3):
        simd.put_column(covariances, g, k, covariance[k])
    simd.put_column(determinants, g, 0, determinant)
    simd.put_column(depths, g, 0, z)


@helper
def _project_chunk(item, chunks, cameras, means, quats, scales, means2d, covariances, determinants, depths):
    frame, chunk = item // chunks, item % chunks
    m, q, s = of_frame(means, frame), of_frame(quats, frame), of_frame(scales, frame)
    m2, cov, det, dep = means2d[frame], covariances[frame], determinants[frame], depths[frame]
    for g in range(CHUNK * chunk, min(CHUNK * (chunk + 1), len(m)), simd.LANES):
        if g + simd.LANES <= len(m):
            _project_sixteen(g, cameras[frame], m, q, s, m2, cov, det, dep)
        else:
            a, b, c, d = padded(m2, g), padded(cov, g), padded(det, g), padded(dep, g)
            _project_sixteen(_FIRST, cameras[frame], padded(m, g), padded(q, g), padded(s, g), a, b, c, d)
            put_back(m2, g, a)
            put_back(cov, g, b)
            put_back(det, g, c)
            put_back(dep, g, d)


@compiled
def project(pool, cameras, means, quats, scales):
    """means2d [F, N, 2], covariances [F, N, 3] (xx, xy, yy), determinants [F, N, 1] and depths [F, N, 1].

    Gaussians beyond the near and far planes get harmless numbers.
    """
    frames, n = len(cameras), means.shape[1]
    means2d, covariances = np.empty((frames, n, 2), f4), np.empty((frames, n, 3), f4)
    determinants, depths = np.empty((frames, n, 1), f4), np.empty((frames, n, 1), f4)
    chunks = (n + CHUNK - 1) // CHUNK
    arguments = (chunks, cameras, means, quats, scales, means2d, covariances, determinants, depths)
    for_each(pool, frames * chunks, _project_chunk, arguments)
    return means2d, covariances, determinants, depths


@helper
def _quaternion_gradient(q, inverse, to_r):
    """From the nine rotation entries to a quaternion of any length."""
    w, x, y, z = q
    r0, r1, r2, r3, r4, r5, r6, r7, r8 = to_r
    to_w = x * (r7 - r5) + y * (r2 - r6) + z * (r3 - r1)
    to_x = y * (r1 + r3) + z * (r2 + r6) + w * (r7 - r5) - _TWO * x * (r4 + r8)
    to_y = x * (r1 + r3) + z * (r5 + r7) + w * (r2 - r6) - _TWO * y * (r0 + r8)
    to_z = x * (r2 + r6) + y * (r5 + r7) + w * (r3 - r1) - _TWO * z * (r0 + r4)
    along = to_w * w + to_x * x + to_y * y + to_z * z
    length = _TWO * inverse
    return (
        (to_w - w * along) * length,
        (to_x - x * along) * length,
        (to_y - y * along) * length,
        (to_z - z * along) * length,
    )


@helper
def _shape_gradient(g, j, u, v, to_covariance, quats, scales, to_quats, to_scales):
    """Writes the gradients to quaternions and scales; returns those to the linearised camera's two rows."""
    q, inverse, r = _rotation(quats, g)
    s = simd.column(scales, g, 0), simd.column(scales, g, 1), simd.column(scales, g, 2)
    xx, xy, yy = _TWO * to_covariance[0], to_covariance[1], _TWO * to_covariance[2]
    to_u = (xx * u[0] + xy * v[0], xx * u[1] + xy * v[1], xx * u[2] + xy * v[2])
    to_v = (yy * v[0] + xy * u[0], yy * v[1] + xy * u[1], yy * v[2] + xy * u[2])
    y0, y1, y2 = j[0] * to_u[0] + j[3] * to_v[0], j[0] * to_u[1] + j[3] * to_v[1], j[0] * to_u[2] + j[3] * to_v[2]
    y3, y4, y5 = j[1] * to_u[0] + j[4] * to_v[0], j[1] * to_u[1] + j[4] * to_v[1], j[1] * to_u[2] + j[4] * to_v[2]
    y6, y7, y8 = j[2] * to_u[0] + j[5] * to_v[0], j[2] * to_u[1] + j[5] * to_v[1], j[2] * to_u[2] + j[5] * to_v[2]
    simd.put_column(to_scales, g, 0, y0 * r[0] + y3 * r[3] + y6 * r[6])
    simd.put_column(to_scales, g, 1, y1 * r[1] + y4 * r[4] + y7 * r[7])
    simd.put_column(to_scales, g, 2, y2 * r[2] + y5 * r[5] + y8 * r[8])
    to_r = (y0 * s[0], y1 * s[1], y2 * s[2], y3 * s[0], y4 * s[1], y5 * s[2], y6 * s[0], y7 * s[1], y8 * s[2])
    to_w, to_x, to_y, to_z = _quaternion_gradient(q, inverse, to_r)
    simd.put_column(to_quats, g, 0, to_w)
    simd.put_column(to_quats, g, 1, to_x)
    simd.put_column(to_quats, g, 2, to_y)
    simd.put_column(to_quats, g, 3, to_z)
    su, sv = (to_u[0] * s[0], to_u[1] * s[1], to_u[2] * s[2]), (to_v[0] * s[0], to_v[1] * s[1], to_v[2] * s[2])
    row_u = (_dot(su, r[0:3]), _dot(su, r[3:6]), _dot(su, r[6:9]))
    row_v = (_dot(sv, r[0:3]), _dot(sv, r[3:6]), _dot(sv, r[6:9]))
    return row_u, row_v


@helper
def _project_gradient_sixteen(g, c, inputs, upstream, outputs, view_sums):
    means, quats, scales = inputs
    to_means2d, to_covariances, to_depths = upstream
    to_means, to_quats, to_scales = outputs
    z, seen, inverse_z, x, y = _place(means, g, c)
    held_x, held_y = _held(x, c[LOW_X], c[HIGH_X]), _held(y, c[LOW_Y], c[HIGH_Y])
    s = simd.column(scales, g, 0), simd.column(scales, g, 1), simd.column(scales, g, 2)
    j, u, v = _axes(c, inverse_z, held_x, held_y, _rotation(quats, g)[2], s)
    to_covariance = (
        simd.select(seen, simd.column(to_covariances, g, 0), f4(0)),
        simd.select(seen, simd.column(to_covariances, g, 1), f4(0)),
        simd.select(seen, simd.column(to_covariances, g, 2), f4(0)),
    )
    row_u, row_v = _shape_gradient(g, j, u, v, to_covariance, quats, scales, to_quats, to_scales)
    jx, jy = c[FX] * inverse_z, c[FY] * inverse_z
    u_along_z = row_u[0] * c[6] + row_u[1] * c[7] + row_u[2] * c[8]
    v_along_z = row_v[0] * c[6] + row_v[1] * c[7] + row_v[2] * c[8]
    to_jx = row_u[0] * c[0] + row_u[1] * c[1] + row_u[2] * c[2] - held_x * u_along_z
    to_jy = row_v[0] * c[3] + row_v[1] * c[4] + row_v[2] * c[5] - held_y * v_along_z
    # Where the direction is held at the picture's margin, the linearisation no longer follows the centre.
    free_x, free_y = (held_x >= x) & (held_x <= x), (held_y >= y) & (held_y <= y)
    to_x = c[FX] * simd.select(seen, simd.column(to_means2d, g, 0), f4(0)) - simd.select(free_x, jx * u_along_z, f4(0))
    to_y = c[FY] * simd.select(seen, simd.column(to_means2d, g, 1), f4(0)) - simd.select(free_y, jy * v_along_z, f4(0))
    to_camera_x, to_camera_y = to_x * inverse_z, to_y * inverse_z
    to_z = -inverse_z * (to_x * x + to_y * y + jx * to_jx + jy * to_jy) + simd.column(to_depths, g, 0)
    for k in range(3):
        simd.put_column(to_means, g, k, c[k] * to_camera_x + c[3 + k] * to_camera_y + c[6 + k] * to_z)
    if len(view_sums) > 0:
        px, py, pz = simd.column(means, g, 0), simd.column(means, g, 1), simd.column(means, g, 2)
        qx, qy = -jx * held_x, -jy * held_y
        rows = (
            to_camera_x * px + jx * row_u[0], to_camera_x * py + jx * row_u[1], to_camera_x * pz + jx * row_u[2],
            to_camera_y * px + jy * row_v[0], to_camera_y * py + jy * row_v[1], to_camera_y * pz + jy * row_v[2],
            to_z * px + qx * row_u[0] + qy * row_v[0], to_z * py + qx * row_u[1] + qy * row_v[1],
            to_z * pz + qx * row_u[2] + qy * row_v[2],
            to_camera_x, to_camera_y, to_z,
        )  # fmt: skip
        simd.store(view_sums, 0, simd.load(view_sums, 0) + simd.lane_sums(rows))


@helper
def _project_gradient_chunk(item, chunks, cameras, inputs, upstream, outputs, view_sums):
    frame, chunk = item // chunks, item % chunks
    m, q, s = of_frame(inputs[0], frame), of_frame(inputs[1], frame), of_frame(inputs[2], frame)
    up = upstream[0][frame], upstream[1][frame], upstream[2][frame]
    out = outputs[0][frame], outputs[1][frame], outputs[2][frame]
    c, sums = cameras[frame], view_sums[frame, chunk]
    for g in range(CHUNK * chunk, min(CHUNK * (chunk + 1), len(m)), simd.LANES):
        if g + simd.LANES <= len(m):
            _project_gradient_sixteen(g, c, (m, q, s), up, out, sums)
        else:
            rest = padded(m, g), padded(q, g), padded(s, g)
            up_rest = zero_padded(up[0], g), zero_padded(up[1], g), zero_padded(up[2], g)
            results = padded(out[0], g), padded(out[1], g), padded(out[2], g)
            _project_gradient_sixteen(_FIRST, c, rest, up_rest, results, sums)
            put_back(out[0], g, results[0])
            put_back(out[1], g, results[1])
            put_back(out[2], g, results[2])


@compiled
def project_gradient(pool, cameras, means, quats, scales, to_means2d, to_covariances, to_depths, want_views):
    """Gradients to means [F, N, 3], quats [F, N, 4] and scales [F, N, 3], and to the cameras' [R|t].

    The last is [F, chunks, 16], to be summed over chunks: nine entries of the rotation, three of the translation,
    four zeros; [F, chunks, 0] unless wanted.
    """
    frames, n = len(cameras), means.shape[1]
    outputs = np.empty((frames, n, 3), f4), np.empty((frames, n, 4), f4), np.empty((frames, n, 3), f4)
    chunks = (n + CHUNK - 1) // CHUNK
    view_sums = np.zeros((frames, chunks, simd.LANES if want_views else 0), f4)
    upstream = to_means2d, to_covariances, to_depths
    arguments = (chunks, cameras, (means, quats, scales), upstream, outputs, view_sums)
    for_each(pool, frames * chunks, _project_gradient_chunk, arguments)
    return outputs[0], outputs[1], outputs[2], view_sums
