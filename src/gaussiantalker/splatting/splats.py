"""Projected Gaussians as rows of a table, sorted by depth into the tiles they touch (numba).

A row is one 64-byte cache line. The inverse covariance is kept as a triangular factor, to the base 2 and with the
opacity folded in, so that for a pixel at (dx, dy) from the centre

    log2 alpha = LOG_OPACITY - u^2 - v^2,   u = P dx + Q dy,   v = R dy.

The usual xx dx^2 + 2 xy dx dy + yy dy^2 would cancel to nothing for a long thin splat; squares cannot.

Sorting costs one depth sort of all splats, then a stable counting sort into 16x16-pixel tiles: no tile is sorted on
its own. Which of a tile's sixteen 4x4-pixel blocks a splat can reach is decided exactly and kept as 16 bits
(closed form of StopThePop, Radl et al. 2024, appendix B).
"""

import math

import numpy as np

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.lanes import CHUNK, padded, put_back
from gaussiantalker.kernels.threads import for_each, helper
from gaussiantalker.splatting.rules import LOG_MIN_ALPHA, MIN_ALPHA, SCALE, TILE

f4, i4, i8 = np.float32, np.int32, np.int64
_FIRST = i8(0)

BLOCK = 4
X, Y, P, Q, R, LOG_OPACITY, RED, GREEN, BLUE, REACH_X, REACH_Y, BEST_X, BEST_Y = range(13)
_COLUMNS = 16

_LOG_MIN_ALPHA, _SCALE = f4(LOG_MIN_ALPHA), f4(SCALE)
BEYOND = 32  # entries that may be read, not used, after the last

_block_x = simd.constant([BLOCK * (i % 4) + 0.5 for i in range(16)])
_block_y = simd.constant([BLOCK * (i // 4) + 0.5 for i in range(16)])


@helper
def _fill_sixteen(g, means2d, covariances, determinants, depths, opacities, colors, planes, size, table):
    x, y, opacity = simd.column(means2d, g, 0), simd.column(means2d, g, 1), simd.column(opacities, g, 0)
    xx, xy, yy = simd.column(covariances, g, 0), simd.column(covariances, g, 1), simd.column(covariances, g, 2)
    determinant, depth = simd.column(determinants, g, 0), simd.column(depths, g, 0)
    log_opacity = simd.log2(simd.maximum(opacity, f4(1e-6)))
    deviations = simd.sqrt(simd.maximum(log_opacity - _LOG_MIN_ALPHA, f4(0))) / _SCALE
    reach_x, reach_y = deviations * simd.sqrt(xx), deviations * simd.sqrt(yy)
    whole_x, whole_y = simd.ceil(reach_x), simd.ceil(reach_y)
    seen = (depth >= planes[0]) & (depth <= planes[1]) & (opacity >= f4(MIN_ALPHA))
    seen = seen & (x + whole_x > f4(0)) & (x - whole_x < f4(size[0]))
    seen = seen & (y + whole_y > f4(0)) & (y - whole_y < f4(size[1]))
    simd.put_column(table, g, X, x)
    simd.put_column(table, g, Y, y)
    simd.put_column(table, g, P, _SCALE * simd.sqrt(yy / determinant))
    simd.put_column(table, g, Q, -_SCALE * xy / simd.sqrt(yy * determinant))
    simd.put_column(table, g, R, _SCALE / simd.sqrt(yy))
    simd.put_column(table, g, LOG_OPACITY, log_opacity)
    for k in range(3):
        simd.put_column(table, g, RED + k, simd.column(colors, g, k))
    simd.put_column(table, g, REACH_X, simd.select(seen, reach_x, f4(-1)))
    simd.put_column(table, g, REACH_Y, simd.select(seen, reach_y, f4(-1)))
    simd.put_column(table, g, BEST_X, xy / yy)
    simd.put_column(table, g, BEST_Y, xy / xx)


@helper
def _fill_chunk(chunk, means2d, covariances, determinants, depths, opacities, colors, planes, size, table, radii):
    end = min(CHUNK * (chunk + 1), len(table))
    for g in range(CHUNK * chunk, end, simd.LANES):
        if g + simd.LANES <= len(table):
            _fill_sixteen(g, means2d, covariances, determinants, depths, opacities, colors, planes, size, table)
        else:
            rest = padded(table, g)
            _fill_sixteen(
                _FIRST, padded(means2d, g), padded(covariances, g), padded(determinants, g), padded(depths, g),
                padded(opacities, g), padded(colors, g), planes, size, rest,
            )  # fmt: skip
            put_back(table, g, rest)
    for g in range(CHUNK * chunk, end):
        radii[g, 0] = i4(min(math.ceil(max(table[g, REACH_X], f4(0))), f4(1e9)))
        radii[g, 1] = i4(min(math.ceil(max(table[g, REACH_Y], f4(0))), f4(1e9)))


@helper
def fill_table(pool, means2d, covariances, determinants, depths, opacities, colors, planes, size):
    """The table [N, 16] and the radii [N, 2] in whole pixels, zero for splats that cannot be seen.

    means2d [N, 2], covariances [N, 3] (xx, xy, yy) and their determinants [N, 1] in pixels, depths and opacities
    [N, 1], colors [N, 3]; planes are the near and far depth, size the picture's width and height. A splat ends where
    its alpha falls below 1/255.
    """
    n = len(depths)
    table, radii = np.empty((n, _COLUMNS), f4), np.empty((n, 2), i4)
    arguments = (means2d, covariances, determinants, depths, opacities, colors, planes, size, table, radii)
    for_each(pool, (n + CHUNK - 1) // CHUNK, _fill_chunk, arguments)
    return table, radii


@helper
def depth_order(table, depths):
    """Indices of the visible splats, nearest first; equal depths keep their order. Radix sort of 11 bits a pass.

    The bits of positive floats sort as integers do.
    """
    n = 0
    keys, splats = np.empty(len(depths), np.uint32), np.empty(len(depths), i4)
    pattern = depths.reshape(len(depths)).view(np.uint32)
    for g in range(len(depths)):
        if table[g, REACH_X] >= f4(0):
            keys[n], splats[n] = pattern[g], g
            n += 1
    other_keys, other_splats = np.empty(n, np.uint32), np.empty(n, i4)
    keys, splats = keys[:n], splats[:n]
    for shift in (0, 11, 22):
        place = np.zeros(2049, i4)
        for key in keys:
            place[i8((key >> np.uint32(shift)) & np.uint32(2047)) + 1] += i4(1)
        for digit in range(2048):
            place[digit + 1] += place[digit]
        for i in range(n):
            digit = i8((keys[i] >> np.uint32(shift)) & np.uint32(2047))
            to = place[digit]
            place[digit] = to + i4(1)
            other_keys[to], other_splats[to] = keys[i], splats[i]
        keys, other_keys, splats, other_splats = other_keys, keys, other_splats, splats
    return splats


@helper
def _tile_range(centre, reach, tiles):
    """First tile and one past the last that [centre - reach, centre + reach] overlaps."""
    low = min(max((centre - reach) / f4(TILE), f4(0)), f4(tiles))
    high = max(min((centre + reach) / f4(TILE), f4(tiles - 1)), f4(0))
    return i8(low), i8(high) + 1


@helper
def _blocks_reached(table, g, left, top):
    """16 bits: in which 4x4 blocks of the tile at this corner some pixel centre can have alpha >= 1/255."""
    x0, y0 = _block_x() + (left - table[g, X]), _block_y() + (top - table[g, Y])
    x1, y1 = x0 + f4(BLOCK - 1), y0 + f4(BLOCK - 1)
    # The maximum over a rectangle lies on the sides that face the centre: where the nearest x (or y) is held and
    # the other coordinate is the best one on that line, clamped to the rectangle.
    near_x, near_y = simd.minimum(simd.maximum(x0, f4(0)), x1), simd.minimum(simd.maximum(y0, f4(0)), y1)
    best_x = simd.minimum(simd.maximum(table[g, BEST_X] * near_y, x0), x1)
    best_y = simd.minimum(simd.maximum(table[g, BEST_Y] * near_x, y0), y1)
    p, q, r = table[g, P], table[g, Q], table[g, R]
    on_x_u, on_x_v = p * near_x + q * best_y, r * best_y
    on_y_u, on_y_v = p * best_x + q * near_y, r * near_y
    falloff = simd.minimum(on_x_u * on_x_u + on_x_v * on_x_v, on_y_u * on_y_u + on_y_v * on_y_v)
    return simd.bits(falloff <= table[g, LOG_OPACITY] - _LOG_MIN_ALPHA)


@helper
def _find_tiles(chunk, order, table, tiles_x, tiles_y, first, touched, counts, histogram):
    chunks = len(histogram)
    for rank in range(len(order) * chunk // chunks, len(order) * (chunk + 1) // chunks):
        g, slot = order[rank], first[rank]
        x0, x1 = _tile_range(table[g, X], table[g, REACH_X], tiles_x)
        y0, y1 = _tile_range(table[g, Y], table[g, REACH_Y], tiles_y)
        for y in range(y0, y1):
            for x in range(x0, x1):
                reached = _blocks_reached(table, g, f4(TILE * x), f4(TILE * y))
                if reached:
                    tile = y * tiles_x + x
                    touched[slot, 0], touched[slot, 1] = tile, reached
                    slot += 1
                    histogram[chunk, tile] += i4(1)
        counts[rank] = slot - first[rank]


@helper
def _place_entries(chunk, order, first, touched, counts, histogram, entries):
    chunks = len(histogram)
    for rank in range(len(order) * chunk // chunks, len(order) * (chunk + 1) // chunks):
        for slot in range(first[rank], first[rank] + counts[rank]):
            tile = touched[slot, 0]
            place = histogram[chunk, tile]
            histogram[chunk, tile] = place + i4(1)
            entries[place, 0], entries[place, 1] = order[rank], touched[slot, 1]
            touched[slot, 0] = place


@helper
def sort_into_tiles(pool, table, order, tiles_x, tiles_y):
    """Counting sort by tile; it is stable, so each tile's splats stay in depth order.

    Returns `entries` [E + 32, 2] (splat, blocks reached) tile after tile, `offsets` [tiles + 1] into them, and for the
    way back from splats to entries `first`, `counts` [visible] into `touched` [.., 2], whose column 0 is an entry.
    """
    first, counts = np.empty(len(order), i8), np.empty(len(order), i8)
    slots = 0
    for rank in range(len(order)):
        g = order[rank]
        x0, x1 = _tile_range(table[g, X], table[g, REACH_X], tiles_x)
        y0, y1 = _tile_range(table[g, Y], table[g, REACH_Y], tiles_y)
        first[rank] = slots
        slots += (x1 - x0) * (y1 - y0)
    tiles, chunks = tiles_x * tiles_y, 4 * pool[1]
    touched, histogram = np.empty((slots, 2), i4), np.zeros((chunks, tiles), i4)
    for_each(pool, chunks, _find_tiles, (order, table, tiles_x, tiles_y, first, touched, counts, histogram))
    offsets = np.empty(tiles + 1, i8)
    total = 0
    for tile in range(tiles):
        offsets[tile] = total
        for chunk in range(chunks):
            here = histogram[chunk, tile]
            histogram[chunk, tile] = total
            total += here
    offsets[tiles] = total
    entries = np.empty((total + BEYOND, 2), i4)
    for_each(pool, chunks, _place_entries, (order, first, touched, counts, histogram, entries))
    return entries, offsets, first, counts, touched
