"""Blendshapes as a CPU kernel: coefficients times bases, straight into activated attributes and colours.

Sixteen Gaussians at a time, each a lane. Every base is read once, as bytes, for four frames together; products of these
with coefficients of 16 bits are summed as integers, two at a time, and so exactly.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy import float32 as f4
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.threads import compiled, for_each, helper, pool
from gaussiantalker.splatting.gaussians import SH_DC
from gaussiantalker.splatting.harmonics import write_basis
from gaussiantalker.talker.blendshapes import LEVELS, NUMBERS, Blendshapes, quantised
from gaussiantalker.talker.talker import Splats

LANES = simd.LANES
GROUP, DEPTH = 4, 4  # frames and bases are filled up to multiples of these
_BLOCKS = 8  # of sixteen Gaussians in a work item

MEANS, SCALES, QUATS, OPACITY, COLOUR, COLUMNS = 0, 3, 6, 10, 11, 14
_TRANSPARENT = -30.0  # opacity logit of the Gaussians that fill up the last sixteen
_STEEP = f4(80)  # logits and log scales beyond are as good as infinite
_LOG2_E, _DARKEST, _UNSHADE = f4(1.4426950408889634), f4(-0.5), f4(1 / SH_DC)


class _Packed(NamedTuple):
    """Blendshapes by blocks of sixteen Gaussians, each a lane."""

    bases: np.ndarray  # int8 [moving blocks, D, at least K / 2, 16, 2]
    steps: np.ndarray  # [moving blocks, D, 16]
    slots: np.ndarray  # int64 [D] which of the columns each of the D is
    rest: np.ndarray  # [blocks, 11, 16] the columns but the colour, before activation
    sh: np.ndarray  # [blocks, 3 * harmonics, 16]


def packed(shapes: Blendshapes) -> _Packed:
    """What `blend` works on."""
    starts = dict(zip(NUMBERS, (MEANS, SCALES, QUATS, OPACITY, COLOUR), strict=True))
    slots = np.concatenate([np.arange(starts[name], starts[name] + NUMBERS[name]) for name in shapes.moved])
    columns = [shapes.means, shapes.log_scales, shapes.quats, shapes.opacity_logits[:, None]]
    rest = _lanes(torch.cat(columns, dim=1))
    rest[-1, OPACITY, LANES - -len(shapes.means) % LANES :] = _TRANSPARENT
    whole = F.pad(shapes.bases.permute(1, 2, 0), (0, -len(shapes.bases) % DEPTH))
    bases = _lanes(whole.flatten(1)).reshape(-1, len(slots), whole.shape[2] // 2, 2, LANES)
    return _Packed(
        np.ascontiguousarray(bases.swapaxes(3, 4)),
        _lanes(shapes.reach / LEVELS),
        slots,
        rest,
        _lanes(shapes.sh.flatten(1)),
    )


def _lanes(rows: Tensor) -> np.ndarray:
    """[N, C] to [blocks, C, 16]; zeros fill up the last block."""
    filled = F.pad(rows, (0, 0, 0, -len(rows) % LANES))
    return np.ascontiguousarray(filled.unflatten(0, (-1, LANES)).transpose(1, 2).numpy())


@helper
def _add_to_one(block, frame, coefficients, units, bases, steps, slots, moved):
    """Bases times a frame's coefficients; sums run side by side, as each waits some cycles for the one before."""
    depth = coefficients.shape[1]
    for d in range(len(slots)):
        at = (block * len(slots) + d) * depth * 2 * LANES
        even = odd = simd.splat(f4(0))
        for k in range(0, depth, 2):
            even = simd.add_integer_products(even, bases, at + k * 2 * LANES, coefficients[frame, k])
            odd = simd.add_integer_products(odd, bases, at + (k + 1) * 2 * LANES, coefficients[frame, k + 1])
        step, to = simd.load(steps, (block * len(slots) + d) * LANES), (frame * COLUMNS + slots[d]) * LANES
        simd.store(moved, to, (simd.from_integers(even) + simd.from_integers(odd)) * step * units[frame])


@helper
def _add_to_four(block, frame, coefficients, units, bases, steps, slots, moved):
    """The same for four frames, each base read once."""
    depth, row = coefficients.shape[1], COLUMNS * LANES
    for d in range(len(slots)):
        at = (block * len(slots) + d) * depth * 2 * LANES
        first = second = third = fourth = simd.splat(f4(0))
        for k in range(depth):
            here = at + k * 2 * LANES
            first = simd.add_integer_products(first, bases, here, coefficients[frame, k])
            second = simd.add_integer_products(second, bases, here, coefficients[frame + 1, k])
            third = simd.add_integer_products(third, bases, here, coefficients[frame + 2, k])
            fourth = simd.add_integer_products(fourth, bases, here, coefficients[frame + 3, k])
        step, to = simd.load(steps, (block * len(slots) + d) * LANES), (frame * COLUMNS + slots[d]) * LANES
        simd.store(moved, to, simd.from_integers(first) * step * units[frame])
        simd.store(moved, to + row, simd.from_integers(second) * step * units[frame + 1])
        simd.store(moved, to + 2 * row, simd.from_integers(third) * step * units[frame + 2])
        simd.store(moved, to + 3 * row, simd.from_integers(fourth) * step * units[frame + 3])


@helper
def _power(exponent):
    """e to this."""
    return simd.exp2(simd.minimum(simd.maximum(exponent, -_STEEP), _STEEP) * _LOG2_E)


@helper
def _put_colours(block, at, eye, degree, x, y, z, sh, moved, basis, colours):
    """Harmonics towards the eye and what moves, as coefficients of the constant harmonic."""
    x, y, z = x - eye[0], y - eye[1], z - eye[2]
    inverse = f4(1) / simd.sqrt(simd.maximum(x * x + y * y + z * z, f4(1e-24)))
    write_basis(degree, x * inverse, y * inverse, z * inverse, basis)
    red, green, blue = (
        simd.load(moved, at + COLOUR * LANES),
        simd.load(moved, at + (COLOUR + 1) * LANES),
        simd.load(moved, at + (COLOUR + 2) * LANES),
    )
    for k in range((degree + 1) ** 2):
        weight, here = simd.load(basis, LANES * k), (block * sh.shape[1] + 3 * k) * LANES
        red += weight * simd.load(sh, here)
        green += weight * simd.load(sh, here + LANES)
        blue += weight * simd.load(sh, here + 2 * LANES)
    simd.put_column(colours, block * LANES, 0, simd.maximum(red, _DARKEST) * _UNSHADE)
    simd.put_column(colours, block * LANES, 1, simd.maximum(green, _DARKEST) * _UNSHADE)
    simd.put_column(colours, block * LANES, 2, simd.maximum(blue, _DARKEST) * _UNSHADE)


@helper
def _activate(block, frame, eye, degree, rest, sh, moved, basis, outputs):
    means, quats, scales, opacities, colours = outputs
    g, at, here = block * LANES, frame * COLUMNS * LANES, block * rest.shape[1] * LANES
    place = (
        simd.load(rest, here) + simd.load(moved, at),
        simd.load(rest, here + LANES) + simd.load(moved, at + LANES),
        simd.load(rest, here + 2 * LANES) + simd.load(moved, at + 2 * LANES),
    )
    for k in range(3):
        simd.put_column(means[frame], g, k, place[k])
        c = (SCALES + k) * LANES
        simd.put_column(scales[frame], g, k, _power(simd.load(rest, here + c) + simd.load(moved, at + c)))
    for k in range(4):
        c = (QUATS + k) * LANES
        simd.put_column(quats[frame], g, k, simd.load(rest, here + c) + simd.load(moved, at + c))
    c = OPACITY * LANES
    logit = simd.load(rest, here + c) + simd.load(moved, at + c)
    simd.store(opacities[frame], g, f4(1) / (_power(-logit) + f4(1)))
    x, y, z = place
    _put_colours(block, at, eye, degree, x, y, z, sh, moved, basis, colours[frame])


@helper
def _blend_blocks(item, degree, frames, coefficients, units, eyes, bases, steps, slots, rest, sh, outputs):
    moved, basis = np.empty(len(coefficients) * COLUMNS * LANES, f4), np.empty(16 * LANES, f4)
    moved[:] = f4(0)
    for block in range(_BLOCKS * item, min(_BLOCKS * (item + 1), len(rest))):
        if block < len(bases):
            if frames == 1:
                _add_to_one(block, 0, coefficients, units, bases, steps, slots, moved)
            else:
                for frame in range(0, frames, GROUP):
                    _add_to_four(block, frame, coefficients, units, bases, steps, slots, moved)
        elif block == len(bases) or block == _BLOCKS * item:
            moved[:] = f4(0)
        for frame in range(frames):
            _activate(block, frame, eyes[frame], degree, rest, sh, moved, basis, outputs)


@compiled
def _blend_all(threads, degree, frames, coefficients, units, eyes, bases, steps, slots, rest, sh, outputs):
    items = (len(rest) + _BLOCKS - 1) // _BLOCKS
    arguments = (degree, frames, coefficients, units, eyes, bases, steps, slots, rest, sh, outputs)
    for_each(threads, items, _blend_blocks, arguments)


def blend(coefficients: Tensor, viewmats: Tensor, shapes: _Packed) -> Splats:
    """See `Blendshapes.twin`: the same but for transparent Gaussians that fill up the last sixteen."""
    frames, count = len(coefficients), len(shapes.rest) * LANES
    whole, units = quantised(coefficients)
    pairs = np.zeros((-(-frames // GROUP) * GROUP if frames > 1 else 1, 2 * shapes.bases.shape[2]), np.int16)
    pairs[:frames, : whole.shape[1]] = whole.numpy()
    units = np.resize(units.numpy(), len(pairs))
    eyes = -(viewmats[:, :3, :3].transpose(1, 2) @ viewmats[:, :3, 3:])[..., 0].contiguous().numpy()
    outputs = tuple(np.empty((frames, count, size), f4) for size in (3, 4, 3, 1, 3))
    degree = round((shapes.sh.shape[1] / 3) ** 0.5) - 1
    _blend_all(pool(), degree, frames, pairs.view(f4), units, eyes, *shapes, outputs)
    means, quats, scales, opacities, colours = map(torch.from_numpy, outputs)
    return Splats(means, quats, scales, opacities[..., 0], colours[:, :, None])
