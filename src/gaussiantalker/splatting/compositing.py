"""Front-to-back alpha compositing of sorted splats, and its gradient (numba).

    C = sum_i c_i alpha_i T_i + T background,   T_i = prod_{j<i} (1 - alpha_j)       (Kerbl et al. 2023, equation 3)

with gsplat's rules: alpha is capped at 0.999, ignored below 1/255, and a pixel is finished before the splat that
would bring T to 1e-4 or less. Threads take whole tiles. Inside a tile sixteen pixels, one 4x4 block, are one vector.
The gradient runs back to front from the final T. Each (tile, splat) entry owns one row of `sums`, and the rows of a
splat are added afterwards in a fixed order: no atomics, and the same bits for any number of threads.
"""

import numpy as np

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.threads import compiled, for_each, helper
from gaussiantalker.splatting.rules import LOG_MIN_ALPHA, MAX_ALPHA, MIN_TRANSMITTANCE, SCALE, TILE
from gaussiantalker.splatting.splats import (
    BEYOND,
    BLOCK,
    BLUE,
    GREEN,
    LOG_OPACITY,
    RED,
    P,
    Q,
    R,
    X,
    Y,
    depth_order,
    fill_table,
    sort_into_tiles,
)

f4, i4, i8 = np.float32, np.int32, np.int64

_MAX_ALPHA, _MIN_T = f4(MAX_ALPHA), f4(MIN_TRANSMITTANCE)
_LOG_MIN_ALPHA, _SCALE = f4(LOG_MIN_ALPHA), f4(SCALE)
_BLOCKS = (TILE // BLOCK) ** 2
_CHUNK = 256

_lane_x = simd.constant([i % BLOCK for i in range(16)])
_lane_y = simd.constant([i // BLOCK for i in range(16)])


@helper
def _pixel(tile, tiles_x, block, lane):
    """Picture coordinates of one of a tile's pixels."""
    x = tile % tiles_x * TILE + BLOCK * (block & 3) + (lane & 3)
    y = tile // tiles_x * TILE + BLOCK * (block >> 2) + (lane >> 2)
    return x, y


@helper
def _corner(tile, tiles_x):
    """Centre of a tile's first pixel."""
    return f4(tile % tiles_x * TILE) + f4(0.5), f4(tile // tiles_x * TILE) + f4(0.5)


@helper
def _composite_tile(tile, table, entries, offsets, tiles_x, background, image, alpha, final_t, stops):
    # Per block five vectors: T, red, green, blue, stop. A negative T marks a finished pixel, |T| is its value.
    state = np.zeros(_BLOCKS * 80, f4)
    begin, end = offsets[tile], offsets[tile + 1]
    left, top = _corner(tile, tiles_x)
    for block in range(_BLOCKS):
        simd.store(state, 80 * block, simd.splat(f4(1)))
        simd.store(state, 80 * block + 64, simd.splat(f4(end - begin)))
    unfinished = 0xFFFF
    for some in range(begin, end, BEYOND):
        here = (1 << min(end - some, BEYOND)) - 1
        for block in range(_BLOCKS):
            if unfinished >> block & 1:
                reaching = simd.with_bit(entries, 2 * some, block) | simd.with_bit(entries, 2 * some + 32, block) << 16
                corner = left + f4(BLOCK * (block & 3)), top + f4(BLOCK * (block >> 2))
                if _composite_block(reaching & here, some, some - begin, corner, table, entries, state, 80 * block):
                    unfinished &= ~(1 << block)
        if unfinished == 0:
            break
    _write_tile(tile, tiles_x, state, background, image, alpha, final_t, stops)


@helper
def _composite_block(reaching, first, number, corner, table, entries, state, at):
    """Composites into a block those entries from `first` on whose bit is set; returns whether it is finished."""
    t, held = simd.maximum(simd.load(state, at), f4(0)), simd.minimum(simd.load(state, at), f4(0))
    red, green, blue = simd.load(state, at + 16), simd.load(state, at + 32), simd.load(state, at + 48)
    left, top = _lane_x() + corner[0], _lane_y() + corner[1]
    while reaching:
        entry = i8(simd.lowest_bit(reaching))
        reaching &= reaching - 1
        g = i8(entries[first + entry, 0])
        dx, dy = left - table[g, X], top - table[g, Y]
        u, v = table[g, P] * dx + table[g, Q] * dy, table[g, R] * dy
        power = table[g, LOG_OPACITY] - u * u - v * v
        share = simd.select(power >= _LOG_MIN_ALPHA, simd.minimum(simd.exp2(power), _MAX_ALPHA), f4(0))
        weight, next_t = share * t, t - share * t
        finishing = (next_t <= _MIN_T) & (t > f4(0))
        if simd.bits(finishing):
            held, next_t = simd.select(finishing, -t, held), simd.select(finishing, f4(0), next_t)
            weight = simd.select(finishing, f4(0), weight)
            stop = simd.select(finishing, f4(number + entry), simd.load(state, at + 64))
            simd.store(state, at + 64, stop)
            if simd.bits(next_t > f4(0)) == 0:
                reaching = 0
        t = next_t
        red += weight * table[g, RED]
        green += weight * table[g, GREEN]
        blue += weight * table[g, BLUE]
    simd.store(state, at, simd.select(t > f4(0), t, held))
    simd.store(state, at + 16, red)
    simd.store(state, at + 32, green)
    simd.store(state, at + 48, blue)
    return simd.bits(t > f4(0)) == 0


@helper
def _write_tile(tile, tiles_x, state, background, image, alpha, final_t, stops):
    height, width = alpha.shape[:2]
    left, top = tile % tiles_x * TILE, tile // tiles_x * TILE
    if len(final_t) > 0:
        for block in range(_BLOCKS):
            t, at = simd.load(state, 80 * block), 16 * (tile * _BLOCKS + block)
            simd.store(final_t, at, simd.maximum(t, -t))
            simd.store(stops, at, simd.load(state, 80 * block + 64))
    line, whole = np.empty(64, f4), background.size > 3
    wall = simd.interleaved(
        simd.splat(background[0, 0, 0]), simd.splat(background[0, 0, 1]), simd.splat(background[0, 0, 2])
    )
    for row in range(min(TILE, height - top)):
        here = 320 * (row >> 2) + 4 * (row & 3)
        t = simd.load_fours(state, here, here + 80, here + 160, here + 240)
        t = simd.maximum(t, -t)
        here += 16
        red = simd.load_fours(state, here, here + 80, here + 160, here + 240)
        here += 16
        green = simd.load_fours(state, here, here + 80, here + 160, here + 240)
        here += 16
        blue = simd.load_fours(state, here, here + 80, here + 160, here + 240)
        at = (top + row) * width + left
        if left + TILE <= width:
            simd.store(alpha, at, f4(1) - t)
            shades, shares, at = simd.interleaved(red, green, blue), simd.interleaved(t, t, t), 3 * at
            for k in range(3):
                behind = simd.load(background, at + 16 * k) if whole else wall[k]
                simd.store(image, at + 16 * k, shades[k] + shares[k] * behind)
            continue
        simd.store(line, 0, t)
        simd.store(line, 16, red)
        simd.store(line, 32, green)
        simd.store(line, 48, blue)
        y = top + row
        for x in range(min(TILE, width - left)):
            alpha[y, left + x, 0] = f4(1) - line[x]
            for k in range(3):
                behind = background[y, left + x, k] if whole else background[0, 0, k]
                image[y, left + x, k] = line[16 * (k + 1) + x] + line[x] * behind


@compiled
def forward(
    pool, means2d, covariances, determinants, depths, opacities, colors, planes, background, image, alpha, keep
):
    """Fills image [H, W, 3] and alpha [H, W, 1]; the splats and planes are described in `splats.fill_table`.

    background is [H, W, 3] or [1, 1, 3]. Returns the radii [N, 2] and what `backward` needs; `keep` says whether it
    will be called.
    """
    height, width = alpha.shape[:2]
    tiles_x, tiles_y = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    shapes = means2d, covariances, determinants
    table, radii = fill_table(pool, *shapes, depths, opacities, colors, planes, (width, height))
    order = depth_order(table, depths)
    entries, offsets, first, counts, touched = sort_into_tiles(pool, table, order, tiles_x, tiles_y)
    tiles = tiles_x * tiles_y
    final_t = np.empty((tiles if keep else 0, _BLOCKS, 16), f4)
    stops = np.empty_like(final_t)
    arguments = (table, entries, offsets, tiles_x, background, image, alpha, final_t, stops)
    for_each(pool, tiles, _composite_tile, arguments)
    return radii, (table, order, entries, offsets, first, counts, touched, final_t, stops)


@helper
def _load_tile(tile, tiles_x, background, image_grad, alpha_grad, final_t, stops, state, block_ends):
    """Per block six vectors: T, S, the three colour gradients, stop; S is what lies behind, weighted by gradients."""
    height, width = alpha_grad.shape[:2]
    whole = background.shape[0] > 1 or background.shape[1] > 1
    last = i4(0)
    for block in range(_BLOCKS):
        at = 96 * block
        for lane in range(16):
            t, stop = final_t[tile, block, lane], stops[tile, block, lane]
            state[at + lane], state[at + 80 + lane] = t, stop
            block_ends[block] = max(block_ends[block], i4(stop))
            x, y = _pixel(tile, tiles_x, block, lane)
            if x < width and y < height:
                behind = -alpha_grad[y, x, 0]
                for k in range(3):
                    grad = image_grad[y, x, k]
                    state[at + 32 + 16 * k + lane] = grad
                    behind += grad * (background[y, x, k] if whole else background[0, 0, k])
                state[at + 16 + lane] = t * behind
        last = max(last, block_ends[block])
    return last


@helper
def _tile_gradient(tile, table, entries, offsets, tiles_x, background, image_grad, alpha_grad, final_t, stops, sums):
    begin, end = offsets[tile], offsets[tile + 1]
    if begin == end:
        return
    state, block_ends = np.zeros(_BLOCKS * 96, f4), np.zeros(_BLOCKS, i4)
    last = _load_tile(tile, tiles_x, background, image_grad, alpha_grad, final_t, stops, state, block_ends)
    left, top = _corner(tile, tiles_x)
    for entry in range(begin + last, end):
        simd.store(sums, 16 * entry, simd.splat(f4(0)))
    for index in range(last - 1, -1, -1):
        entry = begin + index
        g, blocks = i8(entries[entry, 0]), entries[entry, 1]
        from_x, from_y = _lane_x() + (left - table[g, X]), _lane_y() + (top - table[g, Y])
        p, q, r, log_opacity = table[g, P], table[g, Q], table[g, R], table[g, LOG_OPACITY]
        red, green, blue = table[g, RED], table[g, GREEN], table[g, BLUE]
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = simd.splat(f4(0))
        while blocks:
            block = simd.lowest_bit(blocks)
            blocks &= blocks - i4(1)
            if index >= block_ends[block]:
                continue
            at = i8(96 * block)
            dx, dy = from_x + f4(BLOCK * (block & 3)), from_y + f4(BLOCK * (block >> 2))
            u, v = p * dx + q * dy, r * dy
            power = log_opacity - u * u - v * v
            uncapped = simd.exp2(power)
            counted = (power >= _LOG_MIN_ALPHA) & (simd.load(state, at + 80) > f4(index))
            alpha = simd.select(counted, simd.minimum(uncapped, _MAX_ALPHA), f4(0))
            inverse = f4(1) / (f4(1) - alpha)
            t = simd.load(state, at) * inverse
            weight = alpha * t
            simd.store(state, at, t)
            grad_r, grad_g, grad_b = simd.load(state, at + 32), simd.load(state, at + 48), simd.load(state, at + 64)
            shade = red * grad_r + green * grad_g + blue * grad_b
            behind = simd.load(state, at + 16)
            simd.store(state, at + 16, behind + weight * shade)
            d = simd.select(uncapped < _MAX_ALPHA, (t * shade - behind * inverse) * alpha, f4(0))
            along_u, along_v = d * u, d * v
            s0 += d
            s1 += along_u
            s2 += along_v
            s3 += along_u * u
            s4 += along_u * v
            s5 += along_v * v
            s6 += weight * grad_r
            s7 += weight * grad_g
            s8 += weight * grad_b
        simd.store(sums, 16 * entry, simd.lane_sums((s0, s1, s2, s3, s4, s5, s6, s7, s8)))


@helper
def _splat_gradient(chunk, order, first, counts, touched, sums, table, opacities, outputs):
    """Adds up a splat's rows and turns moments of u and v into gradients: dL/dS = 1/2 sum d (S^-1 x)(S^-1 x)'."""
    to_means2d, to_covariances, to_colors, to_opacities = outputs
    total = np.empty(16, f4)
    unscale = f4(1) / (_SCALE * _SCALE)
    for rank in range(_CHUNK * chunk, min(_CHUNK * (chunk + 1), len(order))):
        g = i8(order[rank])
        row = simd.splat(f4(0))
        for slot in range(first[rank], first[rank] + counts[rank]):
            row += simd.load(sums, 16 * i8(touched[slot, 0]))
        simd.store(total, 0, row)
        p, q, r = table[g, P], table[g, Q], table[g, R]
        to_means2d[g, 0] = unscale * p * total[1]
        to_means2d[g, 1] = unscale * (q * total[1] + r * total[2])
        uu, uv, vv = total[3], total[4], total[5]
        to_covariances[g, 0] = f4(0.5) * unscale * unscale * p * p * uu
        to_covariances[g, 1] = unscale * unscale * p * (q * uu + r * uv)
        to_covariances[g, 2] = f4(0.5) * unscale * unscale * (q * (q * uu + f4(2) * r * uv) + r * r * vv)
        to_opacities[g] = total[0] / opacities[g, 0]
        for k in range(3):
            to_colors[g, k] = total[6 + k]


@compiled
def backward(pool, opacities, background, image_grad, alpha_grad, kept):
    """Gradients to means2d [N, 2], covariances [N, 3], colors [N, 3] and opacities [N], from `kept` of `forward`.

    A row of `sums` holds, over a tile's pixels and with d = dL / d ln(alpha): d, d u, d v, d u^2, d u v, d v^2, and
    the weight times the three colour gradients.
    """
    table, order, entries, offsets, first, counts, touched, final_t, stops = kept
    n, tiles_x = len(table), (alpha_grad.shape[1] + TILE - 1) // TILE
    sums = np.empty((len(entries), 16), f4)
    grads = image_grad, alpha_grad
    arguments = (table, entries, offsets, tiles_x, background, *grads, final_t, stops, sums)
    for_each(pool, len(offsets) - 1, _tile_gradient, arguments)
    outputs = np.zeros((n, 2), f4), np.zeros((n, 3), f4), np.zeros((n, 3), f4), np.zeros(n, f4)
    chunks = (len(order) + _CHUNK - 1) // _CHUNK
    for_each(pool, chunks, _splat_gradient, (order, first, counts, touched, sums, table, opacities, outputs))
    return outputs
