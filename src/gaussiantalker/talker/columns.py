"""Sixty-four Gaussians at a time, each a lane: what kernels of per-Gaussian networks have in common.

A block `columns` [K, 64] holds K numbers of sixty-four Gaussians. A linear layer is then a product from the left, and
whatever is done to each Gaussian alone (rectifying, norms, softmax) runs on whole vectors.
"""

import numpy as np
import torch
from torch import Tensor

from gaussiantalker.splatting.products import WIDTH, add_brief_product, add_product, pair
from gaussiantalker.splatting.simd import LANES, load, maximum, select, splat, store
from gaussiantalker.splatting.threads import helper

f4 = np.float32


@helper
def columns_of(rows, chunk, columns):
    """Sixty-four rows of an array [M, K] as a block; zeros where they end."""
    count, width = rows.shape
    present = min(WIDTH, count - chunk * WIDTH)
    if present < WIDTH:
        columns[:] = f4(0)
    for lane in range(present):
        for k in range(width):
            columns[k, lane] = rows[chunk * WIDTH + lane, k]


@helper
def put_columns(columns, chunk, rows):
    """A block back into its rows of an array [M, K]."""
    count, width = rows.shape
    for lane in range(min(WIDTH, count - chunk * WIDTH)):
        for k in range(width):
            rows[chunk * WIDTH + lane, k] = columns[k, lane]


@helper
def turn(columns, rows):
    """A block [K, 64] as rows [64, at least K]."""
    for k in range(len(columns)):
        for lane in range(WIDTH):
            rows[lane, k] = columns[k, lane]


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
def brief_layer(rows, weights, row, bias, columns, out, out_row):
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
    add_brief_product(rows, depth, WIDTH, out, out_row * WIDTH, WIDTH, weights, row * depth, depth, 1, pairs, 0, WIDTH)


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


def padded(width: int) -> int:
    """The next multiple of what the right side of a product must have."""
    return -(-width // WIDTH) * WIDTH


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def brief_array(weights: Tensor) -> np.ndarray:
    """Weights [R, K] as float32 [R, K / 2] whose bits are pairs of bfloat16."""
    return weights.detach().bfloat16().contiguous().view(torch.float32).numpy()
