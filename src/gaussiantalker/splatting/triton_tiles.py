"""Projected Gaussians sorted by depth into the tiles they touch (Triton, sorting by torch).

A splat is a column of a table whose rows are, as in `splats`, the centre, the triangular factor of the inverse
covariance to the base 2, the logarithm of the opacity and the colour: for a pixel at (dx, dy) from the centre

    log2 alpha = LOG_OPACITY - u^2 - v^2,   u = P dx + Q dy,   v = R dy.

Every (tile, splat) pair is an entry. An entry's slot is where it was listed, all of a splat's side by side; its place
is where sorting by tile and depth brings it. Lists have a fixed capacity, so that nothing need be known on the host:
slots that are not needed sort behind all tiles.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from gaussiantalker.splatting.rules import SCALE, TILE
from gaussiantalker.splatting.scene import Room
from gaussiantalker.splatting.triton_launch import jit, on_threads

BLOCK = 128
_ROWS = 9  # X, Y, P, Q, R, LOG_OPACITY, RED, GREEN, BLUE

_SCALE, _LOG2_E, _TILE = tl.constexpr(SCALE), tl.constexpr(1.4426950408889634), tl.constexpr(TILE)
_NOWHERE = tl.constexpr(2**63 - 1)


class _TileLists(NamedTuple):
    """Which splats are seen in which tiles of F pictures, nearest first."""

    table: Tensor  # [ROWS, F * N]
    entries: Tensor  # [ROWS, capacity] columns of the table in their places
    slots: Tensor  # [capacity] the slot of each place
    begins: Tensor  # int32 [F * tiles + 1] first place of each tile
    counts: Tensor  # int32 [F * N] entries of each splat
    ends: Tensor  # int64 [F * N] one past each splat's last slot
    radii: Tensor  # int32 [F, N, 2]


def tile_counts(width: int, height: int) -> tuple[int, int]:
    """Tiles across and down."""
    return -(-width // TILE), -(-height // TILE)


def sort_into_tiles(
    splats: list[Tensor],  # means2d [F, N, 2], covariances [F, N, 3], determinants, depths, opacities [F, N], colors
    planes: tuple[float, float],
    width: int,
    height: int,
    room: Room | None,
) -> _TileLists:
    """Sorts every splat into every tile that it may touch. Without a `room` the host asks how many pairs there are, and
    waits."""
    frames, n = splats[2].shape
    device, total = splats[0].device, frames * n
    across, down = tile_counts(width, height)
    table, rects = torch.empty(_ROWS, total, device=device), torch.empty(3, total, dtype=torch.int32, device=device)
    counts = torch.empty(total, dtype=torch.int32, device=device)
    radii = torch.empty(frames, n, 2, dtype=torch.int32, device=device)
    grid = (triton.cdiv(total, BLOCK),)
    _tabulate[grid](
        *splats, table, rects, counts, radii, total, *planes, width, height, across, down,
        BLOCK=BLOCK, **on_threads(BLOCK),
    )  # fmt: skip
    ends = counts.cumsum(0)
    if room:
        room.wanted = ends[-1]
    capacity = _padded(room.capacity if room else int(ends[-1]))
    keys, owners = (torch.empty(capacity, dtype=kind, device=device) for kind in (torch.int64, torch.int32))
    _list_entries[(capacity // BLOCK,)](
        ends, counts, rects, splats[3], keys, owners, total, n, across, across * down,
        STEPS=total.bit_length(), BLOCK=BLOCK, **on_threads(BLOCK),
    )  # fmt: skip
    keys, slots = torch.sort(keys, stable=True)
    tiles = torch.arange(frames * across * down + 1, device=device) << 32
    begins = torch.searchsorted(keys, tiles, out_int32=True)
    return _TileLists(table, table.index_select(1, owners[slots]), slots, begins, counts, ends, radii)


def _padded(capacity: int) -> int:
    """At least as much in whole blocks, which kernels need not guard."""
    return max(1, -(-capacity // BLOCK)) * BLOCK


@jit
def _first_tile(centre, reach, tiles):
    return tl.minimum(tl.maximum((centre - reach) / _TILE, 0.0), tiles * 1.0).to(tl.int32)


@jit
def _past_tile(centre, reach, tiles):
    return tl.maximum(tl.minimum((centre + reach) / _TILE, tiles - 1.0), 0.0).to(tl.int32) + 1


@jit(do_not_specialize=["total", "width", "height", "across", "down"])
def _tabulate(
    means2d, covariances, determinants, depths, opacities, colors, table, rects, counts, radii,
    total, near, far, width, height, across, down, BLOCK: tl.constexpr,
):  # fmt: skip
    """The table [ROWS, total], the first tile across, down and how many across [3, total], how many tiles in all
    [total], and radii [total, 2] in whole pixels; zeros for splats that cannot be seen. A splat ends where its alpha
    falls below 1/255."""
    g = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    inside = g < total
    x, y = tl.load(means2d + 2 * g, mask=inside, other=0.0), tl.load(means2d + 2 * g + 1, mask=inside, other=0.0)
    xx = tl.load(covariances + 3 * g, mask=inside, other=1.0)
    xy = tl.load(covariances + 3 * g + 1, mask=inside, other=0.0)
    yy = tl.load(covariances + 3 * g + 2, mask=inside, other=1.0)
    determinant = tl.load(determinants + g, mask=inside, other=1.0)
    depth = tl.load(depths + g, mask=inside, other=0.0)
    opacity = tl.load(opacities + g, mask=inside, other=0.0)
    seen = inside & (depth >= near) & (depth <= far) & (opacity >= 1.0 / 255.0)
    deviations = tl.sqrt(2.0 * tl.log(tl.maximum(opacity * 255.0, 1.0)))
    reach_x, reach_y = deviations * tl.sqrt(xx), deviations * tl.sqrt(yy)
    whole_x, whole_y = tl.ceil(reach_x), tl.ceil(reach_y)
    seen = seen & (x + whole_x > 0.0) & (x - whole_x < width) & (y + whole_y > 0.0) & (y - whole_y < height)
    left, top = _first_tile(x, reach_x, across), _first_tile(y, reach_y, down)
    columns, rows = _past_tile(x, reach_x, across) - left, _past_tile(y, reach_y, down) - top
    tl.store(rects + g, left, mask=inside)
    tl.store(rects + total + g, top, mask=inside)
    tl.store(rects + 2 * total + g, columns, mask=inside)
    tl.store(counts + g, tl.where(seen, tl.maximum(columns, 0) * tl.maximum(rows, 0), 0), mask=inside)
    tl.store(radii + 2 * g, tl.where(seen, tl.minimum(whole_x, 1e9), 0.0).to(tl.int32), mask=inside)
    tl.store(radii + 2 * g + 1, tl.where(seen, tl.minimum(whole_y, 1e9), 0.0).to(tl.int32), mask=inside)
    tl.store(table + g, x, mask=inside)
    tl.store(table + total + g, y, mask=inside)
    tl.store(table + 2 * total + g, tl.sqrt(yy / determinant) * _SCALE, mask=inside)
    tl.store(table + 3 * total + g, -xy * _SCALE / tl.sqrt(yy * determinant), mask=inside)
    tl.store(table + 4 * total + g, 1.0 / tl.sqrt(yy) * _SCALE, mask=inside)
    tl.store(table + 5 * total + g, tl.log(tl.maximum(opacity, 1e-6)) * _LOG2_E, mask=inside)
    for k in tl.static_range(3):  # pyright: ignore[reportGeneralTypeIssues]
        tl.store(table + (6 + k) * total + g, tl.load(colors + 3 * g + k, mask=inside, other=0.0), mask=inside)


@jit(do_not_specialize=["total", "n", "across", "tiles"])
def _list_entries(
    ends, counts, rects, depths, keys, owners, total, n, across, tiles, STEPS: tl.constexpr, BLOCK: tl.constexpr
):
    """For every slot its splat and a key that sorts by tile, then by depth; the bits of positive floats sort as
    integers do. A slot's splat is the first whose end lies behind it."""
    slot = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    low = tl.zeros([BLOCK], tl.int32)
    high = low + total
    for _ in tl.static_range(STEPS):  # pyright: ignore[reportGeneralTypeIssues]
        middle = (low + high) // 2
        behind = tl.load(ends + middle, mask=middle < total, other=_NOWHERE) > slot
        searching = low < high
        high = tl.where(searching & behind, middle, high)
        low = tl.where(searching & (behind == 0), middle + 1, low)
    used = low < total
    end, count = tl.load(ends + low, mask=used, other=0), tl.load(counts + low, mask=used, other=0)
    left, top = tl.load(rects + low, mask=used, other=0), tl.load(rects + total + low, mask=used, other=0)
    columns = tl.load(rects + 2 * total + low, mask=used, other=1)
    place = (slot - (end - count)).to(tl.int32)
    tile = (low // n) * tiles + (top + place // columns) * across + left + place % columns
    depth = tl.load(depths + low, mask=used, other=0.0).to(tl.int32, bitcast=True)
    key = (tile.to(tl.int64) << 32) | depth.to(tl.int64)
    tl.store(keys + slot, tl.where(used, key, _NOWHERE))
    tl.store(owners + slot, tl.where(used, low, 0))
