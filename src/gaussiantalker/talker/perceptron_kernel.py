"""Two-layer perceptrons over all Gaussians as a CPU kernel.

Torch computes one layer at a time for all Gaussians, so a hundred megabytes of hidden units stream through memory.
Here sixty-four Gaussians go through both layers together: their hidden units never leave the nearest caches, and the
gradient computes them anew instead of reading them back.
"""

from itertools import accumulate

import numpy as np
import torch
from numpy import float32 as f4
from torch import Tensor
from torch.autograd.function import once_differentiable

from gaussiantalker.kernels.columns import (
    SLICES,
    Sums,
    add_outer,
    add_sums,
    array,
    back,
    bf16_array,
    bf16_layer,
    columns_of,
    fill,
    gate,
    layer,
    put_columns,
    rectify,
    rows_of,
)
from gaussiantalker.kernels.products import WIDTH
from gaussiantalker.kernels.threads import compiled, for_each, helper, pool


def _forward_chunk(layer):
    """Sixty-four Gaussians through every head; `ends` are the heads' last rows, but one, among all outputs."""

    @helper
    def forward_chunk(chunk, x, first, first_bias, last, last_bias, ends, out):
        width = len(first) // len(ends)
        columns, hidden = np.empty((x.shape[1], WIDTH), f4), np.empty((width, WIDTH), f4)
        said = np.empty((len(last), WIDTH), f4)
        columns_of(x, chunk, columns)
        rectify(columns)
        begin = 0
        for head in range(len(ends)):
            layer(width, first, head * width, first_bias, columns, hidden, 0)
            rectify(hidden)
            layer(ends[head] - begin, last, begin, last_bias, hidden, said, begin)
            begin = ends[head]
        put_columns(said, chunk, out)

    return forward_chunk


_exact_chunk, _bf16_chunk = _forward_chunk(layer), _forward_chunk(bf16_layer)


@helper
def _backward_slice(part, x, first, first_bias, last, ends, grad, x_grad, first_grad, last_grad, first_sums, last_sums):
    inputs, width, outputs = x.shape[1], len(first) // len(ends), len(last)
    columns, hidden = np.empty((inputs, WIDTH), f4), np.empty((width, WIDTH), f4)
    to_columns, to_hidden, arriving = np.empty_like(columns), np.empty_like(hidden), np.empty((outputs, WIDTH), f4)
    rows, hidden_rows = np.zeros((WIDTH, first_grad.shape[1]), f4), np.zeros((WIDTH, last_grad.shape[1]), f4)
    for chunk in range(part, -(-len(x) // WIDTH), SLICES):
        columns_of(x, chunk, columns)
        rectify(columns)
        rows_of(columns, rows)
        columns_of(grad, chunk, arriving)
        add_sums(arriving, last_sums, part * outputs)
        fill(to_columns, f4(0))
        begin = 0
        for head in range(len(ends)):
            row, size = head * width, ends[head] - begin
            layer(width, first, row, first_bias, columns, hidden, 0)
            rectify(hidden)
            rows_of(hidden, hidden_rows)
            add_outer(size, arriving, begin, hidden_rows, last_grad, part * outputs + begin)
            fill(to_hidden, f4(0))
            back(size, last, begin, arriving, begin, to_hidden)
            gate(to_hidden, hidden)
            add_sums(to_hidden, first_sums, part * len(first) + row)
            add_outer(width, to_hidden, 0, rows, first_grad, part * len(first) + row)
            back(width, first, row, to_hidden, 0, to_columns)
            begin = ends[head]
        gate(to_columns, columns)
        put_columns(to_columns, chunk, x_grad)


@compiled
def _forward_all(threads, x, first, first_bias, last, last_bias, ends, out):
    for_each(threads, -(-len(x) // WIDTH), _exact_chunk, (x, first, first_bias, last, last_bias, ends, out))


@compiled
def _bf16_all(threads, x, first, first_bias, last, last_bias, ends, out):
    for_each(threads, -(-len(x) // WIDTH), _bf16_chunk, (x, first, first_bias, last, last_bias, ends, out))


@compiled
def _backward_all(threads, *arguments):
    for_each(threads, SLICES, _backward_slice, arguments)


class _Perceptrons(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, first, first_bias, last, last_bias, ends, bf16):
        weights = bf16_array if bf16 else array
        inputs = array(x), weights(first), array(first_bias), weights(last), array(last_bias)
        out = np.empty((len(x), len(last)), f4)
        (_bf16_all if bf16 else _forward_all)(pool(), *inputs, ends, out)
        ctx.arrays = *inputs[:4], ends
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, first, first_bias, last, ends = ctx.arrays
        x_grad = np.empty_like(x)
        sums = [Sums(weights.shape) for weights in (first, last)] + [Sums((len(bias),)) for bias in (first, last)]
        parts = [each.parts for each in sums]
        _backward_all(pool(), x, first, first_bias, last, ends, array(grad), x_grad, *parts)
        to_first, to_last, to_first_bias, to_last_bias = (each.total() for each in sums)
        return torch.from_numpy(x_grad), to_first, to_first_bias, to_last, to_last_bias, None, None


def perceptrons(
    x: Tensor,
    first: Tensor,
    first_bias: Tensor,
    lasts: list[Tensor],
    biases: list[Tensor],
    *,
    bf16: bool = False,
) -> list[Tensor]:
    """See `regressors.perceptrons`; `bf16` rounds factors to bfloat16 where their number is even."""
    sizes = [len(last) for last in lasts]
    ends = np.array(list(accumulate(sizes)))
    bf16 = bf16 and x.shape[-1] % 2 == first.shape[0] // len(lasts) % 2 == 0
    out = _Perceptrons.apply(x.flatten(0, -2), first, first_bias, torch.cat(lasts), torch.cat(biases), ends, bf16)
    return list(out.unflatten(0, x.shape[:-1]).split(sizes, dim=-1))
