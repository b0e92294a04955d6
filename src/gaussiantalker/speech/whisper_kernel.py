"""Early layers of Whisper's encoder as a CPU kernel, which hears one block or several without torch.

Blocks are small and weights are many, so that a third of torch's time goes to reading and packing weights. Here they
lie as products take them, in panels of sixty-four columns, each read once for all rows of all blocks; and of the last
layer only the rows that are kept are computed.
"""

from typing import NamedTuple

import numpy as np
from numpy import float32 as f4
from torch import Tensor, nn

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.kernels import simd
from gaussiantalker.kernels.products import WIDTH, add_product
from gaussiantalker.kernels.threads import compiled, for_each, helper, pool
from gaussiantalker.speech.whisper_net import Layer, WhisperNet

LANES = simd.LANES
_NORM_FLOOR = f4(1e-5)  # torch's default for layer norms
_LOG2_E, _ROOT_HALF, _LOWEST = f4(1.4426950408889634), f4(0.7071067811865476), f4(-120)
_ROWS = 8  # that are normalised in a work item
ADDED, RECTIFIED, ALONE = 0, 1, 2  # what a product is: added to what is there, put through GELU, or alone


class _Linear(NamedTuple):
    """A layer's weights [K, N] as panels of columns [N / 64, K, 64], and its bias [N]."""

    panels: np.ndarray
    bias: np.ndarray


class _Packed(NamedTuple):
    """What `encoded` works on."""

    convolutions: tuple[_Linear, ...]
    layers: tuple[tuple[_Linear, ...], ...]  # of each: queries, keys and values; what becomes of them; feed-forward
    positions: np.ndarray
    last_norm: tuple[np.ndarray, np.ndarray] | None  # of the net's final layer, if that is heard


def _linear(weight: Tensor, bias: Tensor | None, norm: nn.LayerNorm | None = None) -> _Linear:
    """Weights [N, K] and bias [N], after a norm whose scale and shift go into them."""
    assert bias is not None
    weight, bias = weight.detach(), bias.detach()
    if norm is not None:
        weight, bias = weight * norm.weight.detach(), bias + weight @ norm.bias.detach()
    return _Linear(weight.unflatten(0, (-1, WIDTH)).transpose(1, 2).contiguous().numpy(), bias.contiguous().numpy())


def packed(net: WhisperNet, last: int, rows: int) -> _Packed:
    """The layers up to the last that is read, for blocks of so many rows.

    Raises GaussianTalkerError where the net has other heads than all of Whisper's.
    """
    channels = net.positions.shape[1]
    if channels != WIDTH * net.heads:
        raise GaussianTalkerError(f"{net.heads} heads of {channels} channels are not Whisper's: fetch its model again.")
    layers = []
    for layer in net.layers[:last]:
        assert isinstance(layer, Layer)
        heard, said = layer.self_attention, layer.ffn
        scale = heard.linear_0.weight.new_ones(3 * channels)
        scale[:channels] = float(_LOG2_E) / WIDTH**0.5
        first = heard.linear_0.weight * scale[:, None], heard.linear_0.bias * scale
        layers.append(
            (
                _linear(*first, heard.layer_norm),
                _linear(heard.linear_1.weight, heard.linear_1.bias),
                _linear(said.linear_0.weight, said.linear_0.bias, said.layer_norm),
                _linear(said.linear_1.weight, said.linear_1.bias),
            )
        )
    convolutions = tuple(_linear(c.weight.transpose(1, 2).flatten(1), c.bias) for c in (net.conv1, net.conv2))
    norm = net.layer_norm.weight.detach().numpy(), net.layer_norm.bias.detach().numpy()
    positions = net.positions[:rows].clone().numpy()
    return _Packed(convolutions, tuple(layers), positions, norm if last == net.depth else None)


@helper
def _gelu(x):
    """x times the share of the normal distribution below it (Abramowitz and Stegun 7.1.26, error 1.5e-7)."""
    z = simd.maximum(x, -x) * _ROOT_HALF
    t = f4(1) / (f4(1) + z * f4(0.3275911))
    tail = t * (
        f4(0.254829592) + t * (f4(-0.284496736) + t * (f4(1.421413741) + t * (f4(-1.453152027) + t * f4(1.061405429))))
    )
    tail = f4(0.5) * tail * simd.exp2(simd.maximum(-z * z * _LOG2_E, _LOWEST))
    return x * simd.select(x > f4(0), f4(1) - tail, tail)


@helper
def _panel(item, what, panels, bias, where, source, out):
    """Sixty-four columns of out = source @ weights + bias. `where`: blocks, rows of each, and of source and out the
    flat start of the first block, how far it is to the next, and how long a row is."""
    blocks, rows, source_at, source_block, source_row, out_at, out_block, out_row = where
    depth = panels.shape[1]
    for block in range(blocks):
        begin = out_at + block * out_block + item * WIDTH
        for r in range(rows):
            for lane in range(0, WIDTH, LANES):
                at, start = begin + r * out_row + lane, simd.load(bias, item * WIDTH + lane)
                simd.store(out, at, simd.load(out, at) + start if what == ADDED else start)
        add_product(
            rows, depth, WIDTH, out, begin, out_row,
            source, source_at + block * source_block, source_row, 1, panels, item * depth * WIDTH, WIDTH,
        )  # fmt: skip
        if what == RECTIFIED:
            for r in range(rows):
                for lane in range(0, WIDTH, LANES):
                    at = begin + r * out_row + lane
                    simd.store(out, at, _gelu(simd.load(out, at)))


@helper
def _norm_rows(item, source, out):
    """Rows [R, C] to mean zero and variance one."""
    channels = source.shape[1]
    share, sums = f4(1) / f4(channels), np.empty(LANES, f4)
    for row in range(item * _ROWS, min((item + 1) * _ROWS, len(source))):
        total, squares = simd.splat(f4(0)), simd.splat(f4(0))
        for at in range(row * channels, (row + 1) * channels, LANES):
            total = total + simd.load(source, at)
        simd.store(sums, 0, simd.lane_sums((total,)))
        mean = sums[0] * share
        for at in range(row * channels, (row + 1) * channels, LANES):
            off = simd.load(source, at) - mean
            squares = squares + off * off
        simd.store(sums, 0, simd.lane_sums((squares,)))
        rate = f4(1) / np.sqrt(sums[0] * share + _NORM_FLOOR)
        for at in range(row * channels, (row + 1) * channels, LANES):
            simd.store(out, at, (simd.load(source, at) - mean) * rate)


@helper
def _soften(scores, row, count):
    """Scores of a row, logarithms to base two, as shares; those beyond `count` become nothing."""
    highest, sums, across = scores[row, 0], np.empty(LANES, f4), scores.shape[1]
    for k in range(1, count):
        highest = max(highest, scores[row, k])
    for k in range(count, across):
        scores[row, k] = f4(2) * _LOWEST + highest
    total = simd.splat(f4(0))
    for at in range(row * across, (row + 1) * across, LANES):
        power = simd.exp2(simd.maximum(simd.load(scores, at) - highest, _LOWEST))
        simd.store(scores, at, power)
        total = total + power
    simd.store(sums, 0, simd.lane_sums((total,)))
    for at in range(row * across, (row + 1) * across, LANES):
        simd.store(scores, at, simd.load(scores, at) / sums[0])


@helper
def _attend(item, heads, first, asking, split, mixed):
    """One head of one block, split [B, T, 3 C] to mixed [B, T, C]: rows from `first` on, so many, ask all of them."""
    rows, channels = mixed.shape[1:]
    block, at = item // heads, item % heads * WIDTH
    keys = np.zeros((WIDTH, -(-rows // WIDTH) * WIDTH), f4)
    for row in range(rows):
        for k in range(WIDTH):
            keys[k, row] = split[block, row, channels + at + k]
    scores, across, begin = np.zeros((asking, keys.shape[1]), f4), keys.shape[1], block * rows * 3 * channels
    queries = begin + first * 3 * channels + at
    add_product(asking, WIDTH, across, scores, 0, across, split, queries, 3 * channels, 1, keys, 0, across)
    for row in range(asking):
        _soften(scores, row, rows)
        for k in range(WIDTH):
            mixed[block, first + row, at + k] = f4(0)
    out, values = (block * rows + first) * channels + at, begin + 2 * channels + at
    add_product(asking, rows, WIDTH, mixed, out, channels, scores, 0, across, 1, split, values, 3 * channels)


@compiled
def _first_state(threads, mel, convolutions, positions, x):
    """Both convolutions of blocks mel [B, 2 T + 2, 80], whose first and last rows are zero, to x [B, T, C]."""
    first, second = convolutions
    blocks, rows, channels = x.shape
    long, bands = mel.shape[1:]
    heard = np.zeros((blocks, long, channels), f4)
    where = blocks, long - 2, 0, long * bands, bands, channels, long * channels, channels
    for_each(threads, len(first[0]), _panel, (RECTIFIED, first[0], first[1], where, mel, heard))
    where = blocks, rows, 0, long * channels, 2 * channels, 0, rows * channels, channels
    for_each(threads, len(second[0]), _panel, (RECTIFIED, second[0], second[1], where, heard, x))
    for block in range(blocks):
        x[block] += positions


@compiled
def _through_layer(threads, x, first, asking, asked, mixing, widening, narrowing):
    """A layer of the transformer on x [B, T, C], in place; only rows from `first` on, so many, are changed."""
    blocks, rows, channels = x.shape
    split, mixed, normed = np.empty((blocks, rows, 3 * channels), f4), np.empty_like(x), np.empty_like(x)
    hidden = np.empty((blocks, rows, 4 * channels), f4)
    flat, flat_normed = x.reshape(-1, channels), normed.reshape(-1, channels)
    items, panels = (len(flat) + _ROWS - 1) // _ROWS, channels // WIDTH
    for_each(threads, items, _norm_rows, (flat, flat_normed))
    everything = 1, blocks * rows, 0, 0, channels, 0, 0, 3 * channels
    for_each(threads, 3 * panels, _panel, (ALONE, asked[0], asked[1], everything, normed, split))
    for_each(threads, blocks * panels, _attend, (panels, first, asking, split, mixed))
    begin, block = first * channels, rows * channels
    where = blocks, asking, begin, block, channels, begin, block, channels
    wide = blocks, asking, begin, block, channels, 4 * begin, 4 * block, 4 * channels
    narrow = blocks, asking, 4 * begin, 4 * block, 4 * channels, begin, block, channels
    for_each(threads, panels, _panel, (ADDED, mixing[0], mixing[1], where, mixed, x))
    for_each(threads, items, _norm_rows, (flat, flat_normed))
    for_each(threads, 4 * panels, _panel, (RECTIFIED, widening[0], widening[1], wide, normed, hidden))
    for_each(threads, panels, _panel, (ADDED, narrowing[0], narrowing[1], narrow, hidden, x))


def encoded(mel: np.ndarray, net: _Packed, layers: tuple[int, ...], first: int, kept: int) -> np.ndarray:
    """Log-mel blocks [B, 2 T, 80] to the states of these layers side by side, [B, kept, channels], of the rows from
    `first` on. See `WhisperNet.hidden`."""
    x = np.empty((len(mel), *net.positions.shape), f4)
    _first_state(pool(), np.pad(mel, ((0, 0), (1, 1), (0, 0))), net.convolutions, net.positions, x)
    rows = slice(first, first + kept)
    states = [x[:, rows].copy()]
    for number, layer in enumerate(net.layers, 1):
        _through_layer(pool(), x, *((first, kept) if number == len(net.layers) else (0, len(net.positions))), *layer)
        states.append(x[:, rows].copy())
    if net.last_norm:
        off = states[-1] - states[-1].mean(axis=-1, keepdims=True)
        rate = np.sqrt(np.square(off).mean(axis=-1, keepdims=True) + _NORM_FLOOR)
        states[-1] = off / rate * net.last_norm[0] + net.last_norm[1]
    return np.concatenate([states[layer] for layer in layers], axis=-1)
