"""The torso as a CPU kernel: from codes to pictures, without a layer, texture or flow of a whole picture in between.

Texels lie with their four channels side by side. Shades are added to four of them at a time, whole numbers from bytes
as in `blendshape_kernel`, each read once for the frames that are made together; then every row of a picture is found.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy import float32 as f4
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.threads import compiled, for_each, helper, pool
from gaussiantalker.talker.blendshapes import quantised

if TYPE_CHECKING:
    from gaussiantalker.talker.torso import Torso

LANES = simd.LANES
_BLOCKS = 64  # of sixteen numbers in a work item
FOUR = 4  # texels, and pixels, in a vector; the last ones of a row overlap those before


class _Packed(NamedTuple):
    """A torso as `draw` works on it."""

    flow: np.ndarray  # [1 + M, 2, gh, gw] pixels
    texture: np.ndarray  # [h, w, 4] in [0, 1]
    start: np.ndarray  # [16 blocks] what shades are added to: the texture, if they are as fine, or nothing
    bases: np.ndarray  # int8 [blocks, pairs of shades, 16, 2] over the channels of h' x w' texels
    coarse: tuple[int, int]  # h', w'
    background: np.ndarray  # [H, W, 3]
    place: tuple[int, int]  # first row with a body, and margin


def packed(torso: "Torso") -> _Packed:
    """What `draw` works on."""
    count, _, *coarse = torso.shades.shape
    shades = F.pad(torso.shades.movedim(1, -1), (0, 1)).flatten(1)
    shades = F.pad(shades, (0, -shades.shape[1] % LANES, 0, count % 2 if count else 2))
    bases = shades.unflatten(0, (-1, 2)).unflatten(2, (-1, LANES)).permute(2, 0, 3, 1).contiguous().numpy()
    texture = (torso.texture.float() / 255).movedim(0, -1).contiguous().numpy()
    start = np.zeros(len(bases) * LANES, f4)
    if texture.shape[:2] == tuple(coarse):
        start[: texture.size] = texture.ravel()
        texture = start[: texture.size].reshape(texture.shape)
    flow, background = torso.flow.contiguous().numpy(), torso.background.contiguous().numpy()
    return _Packed(flow, texture, start, bases, (coarse[0], coarse[1]), background, torso.place)


@helper
def _shade_blocks(item, weights, units, bases, start, shaded):
    """Weights [B, pairs] of the shades, in steps of `units` [B], added to what is there at the start."""
    pairs, across = weights.shape[1], shaded.shape[1]
    for block in range(_BLOCKS * item, min(_BLOCKS * (item + 1), len(bases))):
        before = simd.load(start, block * LANES)
        for frame in range(len(weights)):
            total = simd.splat(f4(0))
            for k in range(pairs):
                total = simd.add_integer_products(total, bases, (block * pairs + k) * 2 * LANES, weights[frame, k])
            simd.store(shaded, frame * across + block * LANES, before + simd.from_integers(total) * units[frame])


@helper
def _between(place, count):
    """The two of `count` places around one, and how far it is from the first to the second; ends go on for ever."""
    place = min(max(place, f4(0)), f4(count - 1))
    first = int(place)
    return first, min(first + 1, count - 1), place - f4(first)


@helper
def _stretch(many, few):
    """A step in many places as one in few, corner on corner."""
    return f4(few - 1) / f4(max(many - 1, 1))


@helper
def _corners(across, down, size):
    """Where the texels about a place begin in an array of this size, and how far it is beyond the first of them."""
    left, right, u = _between(across, size[1])
    upper, lower, v = _between(down, size[0])
    upper, lower = 4 * upper * size[1], 4 * lower * size[1]
    return upper + 4 * left, upper + 4 * right, lower + 4 * left, lower + 4 * right, u, v


@helper
def _texels(values, a, b, c, d):
    """The four channels at four places, bilinear, from their `_corners`."""
    u, v = simd.each_four_times(a[4], b[4], c[4], d[4]), simd.each_four_times(a[5], b[5], c[5], d[5])
    upper, lower = simd.load_fours(values, a[0], b[0], c[0], d[0]), simd.load_fours(values, a[2], b[2], c[2], d[2])
    upper += u * (simd.load_fours(values, a[1], b[1], c[1], d[1]) - upper)
    lower += u * (simd.load_fours(values, a[3], b[3], c[3], d[3]) - lower)
    return upper + v * (lower - upper)


@helper
def _enlarge_row(item, coarse, shaded, texture, texels):
    """Shades of a coarser grid, drawn up to a row of the texture."""
    height, width = texture.shape[:2]
    frame, row = item // height, item % height
    down, step = f4(row) * _stretch(height, coarse[0]), _stretch(width, coarse[1])
    for column in range(0, width, FOUR):
        x = max(min(column, width - FOUR), 0)
        a, b = _corners(f4(x) * step, down, coarse), _corners(f4(x + 1) * step, down, coarse)
        c, d = _corners(f4(x + 2) * step, down, coarse), _corners(f4(x + 3) * step, down, coarse)
        at = 4 * (row * width + x)
        simd.store(texels[frame], at, simd.load(texture, at) + _texels(shaded[frame], a, b, c, d))


@helper
def _line_of_flow(row, rows, code, flow, line):
    """The flow of a row at the grid's columns, [2, gw]."""
    upper, lower, v = _between(f4(row) * _stretch(rows, flow.shape[2]), flow.shape[2])
    line[:] = f4(0)
    for mode in range(len(flow)):
        weight = code[mode - 1] if mode else f4(1)
        for k in range(2):
            for column in range(flow.shape[3]):
                above, below = flow[mode, k, upper, column], flow[mode, k, lower, column]
                line[k, column] += weight * (above + v * (below - above))


@helper
def _found(x, y, margin, line, step, size):
    """The `_corners` of the texels that a pixel shows."""
    left, right, u = _between(f4(x) * step, line.shape[1])
    across, down = (
        line[0, left] + u * (line[0, right] - line[0, left]),
        line[1, left] + u * (line[1, right] - line[1, left]),
    )
    return _corners(f4(x + margin) + across, f4(y) + down, size)


@helper
def _draw_row(item, top, margin, codes, flow, size, texels, background, pictures, covered):
    height, width = background.shape[:2]
    frame, row, line, four = item // height, item % height, np.empty((2, flow.shape[3]), f4), np.empty(LANES, f4)
    y, step, picture, behind = row - top, _stretch(width, flow.shape[3]), pictures[frame, row], background[row]
    if y < 0:
        picture[:] = behind
        return
    _line_of_flow(y, height - top, codes[frame], flow, line)
    for column in range(0, width, FOUR):
        x = max(min(column, width - FOUR), 0)
        a, b = _found(x, y, margin, line, step, size), _found(x + 1, y, margin, line, step, size)
        c, d = _found(x + 2, y, margin, line, step, size), _found(x + 3, y, margin, line, step, size)
        shown = _texels(texels[frame], a, b, c, d)
        simd.store(four, 0, simd.minimum(simd.maximum(shown, f4(0)), simd.every_fourth(shown)))
        for k in range(min(FOUR, width)):
            alpha = four[4 * k + 3]
            for channel in range(3):
                picture[x + k, channel] = four[4 * k + channel] + (f4(1) - alpha) * behind[x + k, channel]
            if len(covered) > 0:
                covered[frame, row, x + k, 0] = alpha


@compiled
def _draw_all(threads, codes, weights, units, torso, outputs):
    flow, texture, start, bases, coarse, background, place = torso
    frames, size = len(codes), (texture.shape[0], texture.shape[1])
    texels = np.empty((frames, len(start)), f4)
    items = (len(bases) + _BLOCKS - 1) // _BLOCKS
    for_each(threads, items, _shade_blocks, (weights, units, bases, start, texels))
    if coarse != size:
        shaded, texels = texels, np.empty((frames, texture.size), f4)
        for_each(threads, frames * size[0], _enlarge_row, (coarse, shaded, texture, texels))
    rows = place[0], place[1], codes, flow, size, texels, background, outputs[0], outputs[1]
    for_each(threads, frames * len(background), _draw_row, rows)


def draw(codes: Tensor, scale: Tensor, torso: _Packed, covering: bool) -> tuple[Tensor, Tensor]:
    """See `Torso.twin`; what is covered is empty where that is not asked for."""
    codes = codes.float().contiguous()
    frames, size, shades = len(codes), torso.background.shape[:2], torso.bases.shape[1]
    whole, units = quantised(F.pad(codes[:, len(torso.flow) - 1 :] * (scale / 255), (0, 2 * shades - len(scale))))
    weights = whole.to(torch.int16).numpy().view(f4)
    outputs = np.empty((frames, *size, 3), f4), np.zeros((frames if covering else 0, *size, 1), f4)
    _draw_all(pool(), codes.numpy(), weights, units.numpy(), tuple(torso), outputs)
    return torch.from_numpy(outputs[0]), torch.from_numpy(outputs[1])
