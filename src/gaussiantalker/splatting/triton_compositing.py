"""Front-to-back alpha compositing of sorted splats, and its gradient (Triton): the GPU's twin of `compositing`.

A program draws a tile, CHUNK splats at a time as blocks [CHUNK, pixels], whose first axis lies within a thread. Chunks
are aligned in the whole list, not in the tile's, so that loads are; splats of neighbouring tiles count as transparent.
The gradient runs back to front from the final T. Each entry owns a row of sums, and the rows of a splat, side by side
in the order of slots, are added one after the other: no atomics, the same bits every time.
"""

import triton.language as tl

from gaussiantalker.splatting.rules import LOG_MIN_ALPHA, MAX_ALPHA, MIN_TRANSMITTANCE, SCALE, TILE
from gaussiantalker.splatting.triton_launch import jit

CHUNK = 8
THREADS, GRADIENT_THREADS = 256, 128  # one pixel each; two each, which halves what threads must exchange
SUMS = 9  # d, d u, d v, d u^2, d u v, d v^2 with d = dL / d ln(alpha), and the weight times three colour gradients
BLOCK = 128

_TILE, _PIXELS = tl.constexpr(TILE), tl.constexpr(TILE * TILE)
_LOG_MIN_ALPHA, _MAX_ALPHA = tl.constexpr(LOG_MIN_ALPHA), tl.constexpr(MAX_ALPHA)
_MIN_T, _UNSCALE, _SUMS = tl.constexpr(MIN_TRANSMITTANCE), tl.constexpr(1 / SCALE**2), tl.constexpr(SUMS)


@jit
def _pixels(tile, across):
    """Column and row of the tile's pixels in the picture."""
    lane = tl.arange(0, _PIXELS)
    return (tile % across) * _TILE + lane % _TILE, (tile // across) * _TILE + lane // _TILE


@jit
def _falloff(entries, capacity, index, column, row):
    """u and v [CHUNK, pixels] of these entries, and the logarithm of alpha before it is capped or dropped."""
    x, y = tl.load(entries + index), tl.load(entries + capacity + index)
    p, q = tl.load(entries + 2 * capacity + index), tl.load(entries + 3 * capacity + index)
    r, log_opacity = tl.load(entries + 4 * capacity + index), tl.load(entries + 5 * capacity + index)
    dx, dy = (column + 0.5)[None, :] - x[:, None], (row + 0.5)[None, :] - y[:, None]
    u, v = p[:, None] * dx + q[:, None] * dy, r[:, None] * dy
    return u, v, log_opacity[:, None] - u * u - v * v


@jit(do_not_specialize=["width", "height", "across", "tiles", "frame_stride", "row_stride", "column_stride"])
def composite(
    entries, begins, background, image, alpha, final_t, stops,
    capacity, width, height, across, tiles, frame_stride, row_stride, column_stride,
    KEEP: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Pictures [F, H, W, 3] over the background and alpha [F, H, W], one program a tile; where KEEP, also what the
    gradient needs: T behind the last splat of each pixel and the place at which it stopped, [F, tiles, pixels]."""
    tile, frame = tl.program_id(0), tl.program_id(1)
    column, row = _pixels(tile, across)
    shown = (column < width) & (row < height)
    begin, end = tl.load(begins + frame * tiles + tile), tl.load(begins + frame * tiles + tile + 1)
    t = tl.where(shown, 1.0, 0.0)  # the product of all 1 - alpha
    left = t  # and of those that count
    red, green, blue = 0.0 * t, 0.0 * t, 0.0 * t
    chunk = begin // CHUNK
    counted = (0.0 * t).to(tl.int32) + chunk * CHUNK
    open_t = tl.max(t, 0)
    while (chunk * CHUNK < end) & (open_t > _MIN_T):
        index = chunk * CHUNK + tl.arange(0, CHUNK)
        _, _, power = _falloff(entries, capacity, index, column, row)
        own = (index >= begin) & (index < end)
        opacity = tl.where((power >= _LOG_MIN_ALPHA) & own[:, None], tl.minimum(tl.exp2(power), _MAX_ALPHA), 0.0)
        after = tl.expand_dims(t, 0) * tl.cumprod(1.0 - opacity, 0)
        counts = after > _MIN_T
        weight = tl.where(counts, opacity * after / (1.0 - opacity), 0.0)
        red += tl.sum(weight * tl.load(entries + 6 * capacity + index)[:, None], 0)
        green += tl.sum(weight * tl.load(entries + 7 * capacity + index)[:, None], 0)
        blue += tl.sum(weight * tl.load(entries + 8 * capacity + index)[:, None], 0)
        left = tl.minimum(left, tl.min(tl.where(counts, after, 1.0), 0))
        counted += tl.sum(counts.to(tl.int32), 0)
        t = tl.min(after, 0)
        open_t = tl.max(t, 0)
        chunk += 1
    pixel = (frame.to(tl.int64) * height + row) * width + column
    behind = background + frame.to(tl.int64) * frame_stride + row * row_stride + column * column_stride
    tl.store(image + 3 * pixel, red + left * tl.load(behind, mask=shown, other=0.0), mask=shown)
    tl.store(image + 3 * pixel + 1, green + left * tl.load(behind + 1, mask=shown, other=0.0), mask=shown)
    tl.store(image + 3 * pixel + 2, blue + left * tl.load(behind + 2, mask=shown, other=0.0), mask=shown)
    tl.store(alpha + pixel, 1.0 - left, mask=shown)
    if KEEP:
        at = (frame.to(tl.int64) * tiles + tile) * _PIXELS + tl.arange(0, _PIXELS)
        tl.store(final_t + at, left)
        tl.store(stops + at, counted)


@jit(do_not_specialize=["width", "height", "across", "tiles", "frame_stride", "row_stride", "column_stride"])
def composite_gradient(
    entries, slots, begins, background, image_grad, alpha_grad, final_t, stops, sums,
    capacity, width, height, across, tiles, frame_stride, row_stride, column_stride, CHUNK: tl.constexpr,
):  # fmt: skip
    """Rows of sums [capacity, SUMS] over a tile's pixels, one for each entry that counts in the tile."""
    tile, frame = tl.program_id(0), tl.program_id(1)
    column, row = _pixels(tile, across)
    shown = (column < width) & (row < height)
    begin, end = tl.load(begins + frame * tiles + tile), tl.load(begins + frame * tiles + tile + 1)
    at = (frame.to(tl.int64) * tiles + tile) * _PIXELS + tl.arange(0, _PIXELS)
    t, stop = tl.load(final_t + at), tl.load(stops + at)
    pixel = (frame.to(tl.int64) * height + row) * width + column
    behind = background + frame.to(tl.int64) * frame_stride + row * row_stride + column * column_stride
    red = tl.load(image_grad + 3 * pixel, mask=shown, other=0.0)
    green = tl.load(image_grad + 3 * pixel + 1, mask=shown, other=0.0)
    blue = tl.load(image_grad + 3 * pixel + 2, mask=shown, other=0.0)
    # What lies behind a splat, weighted by the picture's gradient; at first that is the background.
    light = red * tl.load(behind, mask=shown, other=0.0) - tl.load(alpha_grad + pixel, mask=shown, other=0.0)
    light += green * tl.load(behind + 1, mask=shown, other=0.0) + blue * tl.load(behind + 2, mask=shown, other=0.0)
    light = light * t
    chunk = (tl.minimum(tl.max(stop, 0), end) + CHUNK - 1) // CHUNK - 1
    while (chunk + 1) * CHUNK > begin:
        index = chunk * CHUNK + (CHUNK - 1) - tl.arange(0, CHUNK)  # farthest first
        own = (index >= begin) & (index < end)
        u, v, power = _falloff(entries, capacity, index, column, row)
        counts = (power >= _LOG_MIN_ALPHA) & own[:, None] & (index[:, None] < stop[None, :])
        uncapped = tl.exp2(power)
        opacity = tl.where(counts, tl.minimum(uncapped, _MAX_ALPHA), 0.0)
        inverse = 1.0 / (1.0 - opacity)
        gaps = tl.cumprod(1.0 - opacity, 0)
        before = t[None, :] / gaps
        weight = opacity * before
        r, g = tl.load(entries + 6 * capacity + index), tl.load(entries + 7 * capacity + index)
        b = tl.load(entries + 8 * capacity + index)
        shade = r[:, None] * red[None, :] + g[:, None] * green[None, :] + b[:, None] * blue[None, :]
        added = tl.cumsum(weight * shade, 0)
        hidden = light[None, :] + added - weight * shade
        d = tl.where(counts & (uncapped < _MAX_ALPHA), (before * shade - hidden * inverse) * opacity, 0.0)
        to = sums + tl.load(slots + index, mask=own, other=0) * _SUMS
        tl.store(to, tl.sum(d, 1), mask=own)
        tl.store(to + 1, tl.sum(d * u, 1), mask=own)
        tl.store(to + 2, tl.sum(d * v, 1), mask=own)
        tl.store(to + 3, tl.sum(d * u * u, 1), mask=own)
        tl.store(to + 4, tl.sum(d * u * v, 1), mask=own)
        tl.store(to + 5, tl.sum(d * v * v, 1), mask=own)
        tl.store(to + 6, tl.sum(weight * red[None, :], 1), mask=own)
        tl.store(to + 7, tl.sum(weight * green[None, :], 1), mask=own)
        tl.store(to + 8, tl.sum(weight * blue[None, :], 1), mask=own)
        light += tl.sum(weight * shade, 0)
        t = t / tl.min(gaps, 0)
        chunk -= 1


@jit(do_not_specialize=["total"])
def splat_gradient(
    table, ends, counts, sums, opacities, to_means2d, to_covariances, to_opacities, to_colors,
    total, capacity, BLOCK: tl.constexpr,
):  # fmt: skip
    """Adds up each splat's rows and turns moments of u and v into gradients: dL/dS = 1/2 sum d (S^-1 x)(S^-1 x)'."""
    g = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    inside = g < total
    count = tl.load(counts + g, mask=inside, other=0)
    first = tl.load(ends + g, mask=inside, other=0) - count
    d = tl.zeros([BLOCK], tl.float32)
    du, dv, uu, uv, vv, red, green, blue = d, d, d, d, d, d, d, d
    k, most = 0, tl.max(count, 0)
    while k < most:  # pyright: ignore[reportOperatorIssue]
        more = (k < count) & (first + k < capacity)
        at = sums + (first + k) * _SUMS
        d += tl.load(at, mask=more, other=0.0)
        du += tl.load(at + 1, mask=more, other=0.0)
        dv += tl.load(at + 2, mask=more, other=0.0)
        uu += tl.load(at + 3, mask=more, other=0.0)
        uv += tl.load(at + 4, mask=more, other=0.0)
        vv += tl.load(at + 5, mask=more, other=0.0)
        red += tl.load(at + 6, mask=more, other=0.0)
        green += tl.load(at + 7, mask=more, other=0.0)
        blue += tl.load(at + 8, mask=more, other=0.0)
        k += 1
    p = tl.load(table + 2 * total + g, mask=inside, other=0.0)
    q = tl.load(table + 3 * total + g, mask=inside, other=0.0)
    r = tl.load(table + 4 * total + g, mask=inside, other=0.0)
    tl.store(to_means2d + 2 * g, p * du * _UNSCALE, mask=inside)
    tl.store(to_means2d + 2 * g + 1, (q * du + r * dv) * _UNSCALE, mask=inside)
    square = _UNSCALE * _UNSCALE
    tl.store(to_covariances + 3 * g, p * p * uu * (0.5 * square), mask=inside)
    tl.store(to_covariances + 3 * g + 1, p * (q * uu + r * uv) * square, mask=inside)
    to_yy = q * (q * uu + 2.0 * r * uv) + r * r * vv
    tl.store(to_covariances + 3 * g + 2, to_yy * (0.5 * square), mask=inside)
    opacity = tl.load(opacities + g, mask=inside & (count > 0), other=1.0)
    tl.store(to_opacities + g, d / opacity, mask=inside)
    tl.store(to_colors + 3 * g, red, mask=inside)
    tl.store(to_colors + 3 * g + 1, green, mask=inside)
    tl.store(to_colors + 3 * g + 2, blue, mask=inside)
