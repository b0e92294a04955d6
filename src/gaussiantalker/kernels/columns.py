"""Sixty-four Gaussians at a time, each a lane: what kernels of per-Gaussian networks have in common.

A block `columns` [K, 64] holds K numbers of sixty-four Gaussians. A linear layer is then a product from the left, and
whatever is done to each Gaussian alone (rectifying, norms, softmax) runs on whole vectors. The networks themselves
stand in the talker's kernels.
"""

import numpy as np
import torch
from numpy import float32 as f4
from torch import Tensor

from gaussiantalker.kernels.products import WIDTH, add_bf16_product, add_product, pair, turn_block
from gaussiantalker.kernels.simd import LANES, load, maximum, select, splat, sqrt, store
from gaussiantalker.kernels.threads import helper

_NORM_FLOOR = f4(1e-5)  # torch's default for layer norms
SLICES = 16  # parts of the Gaussians whose weight gradients are summed apart, so that threads do not change the bits


@helper
def _turn(source, source_row, rows, across, target, target_row):
    """target[target_row + c, r] = source[source_row + r, c] for r < rows and c < across."""
    width, target_width = source.shape[1], target.shape[1]
    whole_rows, whole_across = rows // LANES * LANES, across // LANES * LANES
    for r in range(0, whole_rows, LANES):
        for c in range(0, whole_across, LANES):
            at, to = (source_row + r) * width + c, (target_row + c) * target_width + r
            turn_block(source, at, width, target, to, target_width)
    for r in range(rows):
        for c in range(whole_across if r < whole_rows else 0, across):
            target[target_row + c, r] = source[source_row + r, c]


@helper
def columns_of(rows, chunk, columns):
    """Sixty-four rows of an array [M, K] as a block; zeros where they end."""
    present = min(WIDTH, len(rows) - chunk * WIDTH)
    if present < WIDTH:
        columns[:] = f4(0)
    _turn(rows, chunk * WIDTH, present, rows.shape[1], columns, 0)


@helper
def put_columns(columns, chunk, rows):
    """A block back into its rows of an array [M, K]."""
    _turn(columns, 0, len(columns), min(WIDTH, len(rows) - chunk * WIDTH), rows, chunk * WIDTH)


@helper
def rows_of(columns, rows):
    """A block [K, 64] as rows [64, at least K]."""
    _turn(columns, 0, len(columns), WIDTH, rows, 0)


@helper
def fill(columns, number):
    for at in range(0, columns.size, LANES):
        store(columns, at, splat(number))


@helper
def rectify(columns):
    for at in range(0, columns.size, LANES):
        store(columns, at, maximum(load(columns, at), splat(f4(0))))


@helper
def gate(columns, opened_by):
    """Zero wherever the other block is not positive: the gradient of `rectify`."""
    for at in range(0, columns.size, LANES):
        store(columns, at, select(load(opened_by, at) > f4(0), load(columns, at), splat(f4(0))))


@helper
def add_sums(columns, sums, row):
    """Adds each row of a block into a vector of `sums` [R, 16] from this row on; their lanes are added at the end."""
    for k in range(len(columns)):
        at, total = (row + k) * LANES, load(columns, k * WIDTH)
        for lane in range(LANES, WIDTH, LANES):
            total = total + load(columns, k * WIDTH + lane)
        store(sums, at, load(sums, at) + total)


@helper
def layer(rows, weights, row, bias, columns, out, out_row):
    """out[r] = weights[r] columns + bias[r] for so many rows: of weights and bias from `row`, of out from `out_row`."""
    depth = len(columns)
    for r in range(rows):
        for at in range(0, WIDTH, LANES):
            store(out, (out_row + r) * WIDTH + at, splat(bias[row + r]))
    add_product(rows, depth, WIDTH, out, out_row * WIDTH, WIDTH, weights, row * depth, depth, 1, columns, 0, WIDTH)


@helper
def bf16_layer(rows, weights, row, bias, columns, out, out_row):
    """The same to three digits: weights [R, K / 2] are pairs of bfloat16 and columns are rounded to such."""
    depth = len(columns) // 2
    pairs = np.empty((depth, WIDTH), f4)
    for k in range(depth):
        for at in range(0, WIDTH, LANES):
            upper, lower = load(columns, 2 * k * WIDTH + at), load(columns, (2 * k + 1) * WIDTH + at)
            store(pairs, k * WIDTH + at, pair(upper, lower))
    for r in range(rows):
        for at in range(0, WIDTH, LANES):
            store(out, (out_row + r) * WIDTH + at, splat(bias[row + r]))
    add_bf16_product(rows, depth, WIDTH, out, out_row * WIDTH, WIDTH, weights, row * depth, depth, 1, pairs, 0, WIDTH)


@helper
def back(rows, weights, row, arriving, at, out):
    """Adds to a layer's gradient of its input: out[k] += sum over r of weights[row + r, k] arriving[at + r]."""
    inputs = len(out)
    add_product(inputs, rows, WIDTH, out, 0, WIDTH, weights, row * inputs, 1, inputs, arriving, at * WIDTH, WIDTH)


@helper
def add_outer(rows, arriving, at, turned, sums, row):
    """Adds to the gradient of weights: sums[row + r] += sum over Gaussians of arriving[at + r] turned[Gaussian]."""
    across = turned.shape[1]
    add_product(rows, WIDTH, across, sums, row * across, across, arriving, at * WIDTH, WIDTH, 1, turned, 0, across)


@helper
def standardise(columns, rates):
    """Each Gaussian's numbers to mean zero and variance one, in place; `rates` [64] keeps what they were divided by."""
    share = f4(1) / f4(len(columns))
    for at in range(0, WIDTH, LANES):
        mean, variance = splat(f4(0)), splat(f4(0))
        for k in range(len(columns)):
            mean = mean + load(columns, k * WIDTH + at)
        mean = mean * share
        for k in range(len(columns)):
            deviation = load(columns, k * WIDTH + at) - mean
            variance = variance + deviation * deviation
        rate = f4(1) / sqrt(variance * share + _NORM_FLOOR)
        store(rates, at, rate)
        for k in range(len(columns)):
            store(columns, k * WIDTH + at, (load(columns, k * WIDTH + at) - mean) * rate)


@helper
def stretch(columns, scale, shift, out):
    """out[k] = scale[k] columns[k] + shift[k], what a layer norm does after it has standardised."""
    for k in range(len(columns)):
        for at in range(k * WIDTH, (k + 1) * WIDTH, LANES):
            store(out, at, load(columns, at) * scale[k] + splat(shift[k]))


@helper
def back_through_norm(arriving, standard, rates, scale, scale_sums, shift_sums, row):
    """A layer norm's gradient, in place, and those of its scale and shift as lanes in rows from this one on."""
    share = f4(1) / f4(len(standard))
    add_sums(arriving, shift_sums, row)
    for at in range(0, WIDTH, LANES):
        mean, along = splat(f4(0)), splat(f4(0))
        for k in range(len(standard)):
            came, x = load(arriving, k * WIDTH + at), load(standard, k * WIDTH + at)
            to_scale = (row + k) * LANES
            store(scale_sums, to_scale, load(scale_sums, to_scale) + came * x)
            mean, along = mean + came * scale[k], along + came * scale[k] * x
        mean, along = mean * share, along * share
        for k in range(len(standard)):
            here = k * WIDTH + at
            step = load(arriving, here) * scale[k] - mean - load(standard, here) * along
            store(arriving, here, step * load(rates, at))


def _padded(width: int) -> int:
    """The next multiple of what the right side of a product must have."""
    return -(-width // WIDTH) * WIDTH


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def bf16_array(weights: Tensor) -> np.ndarray:
    """Weights [R, K] as float32 [R, K / 2] whose bits are pairs of bfloat16."""
    return weights.detach().bfloat16().contiguous().view(torch.float32).numpy()


class Sums:
    """Gradients of weights [R, K] or biases [R] while slices add to them apart, each in its own rows."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.parts = np.zeros((SLICES * shape[0], _padded(shape[1]) if len(shape) > 1 else LANES), f4)

    def total(self) -> Tensor:
        parts = self.parts.reshape(SLICES, self.shape[0], -1).sum(axis=0)
        return torch.from_numpy(parts[:, : self.shape[1]] if len(self.shape) > 1 else parts.sum(axis=1))
