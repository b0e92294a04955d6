"""The second half of a fusion layer as a CPU kernel: norm, two-layer network with its residual, norm.

Like `perceptron_kernel`, it takes sixty-four Gaussians through everything before it touches the next, and computes
anew in the gradient what torch would write to memory and read back.
"""

import numpy as np
import torch
from numpy import float32 as f4
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gaussiantalker.kernels.columns import (
    SLICES,
    Sums,
    add_outer,
    add_sums,
    array,
    back,
    back_through_norm,
    bf16_array,
    bf16_layer,
    columns_of,
    fill,
    gate,
    layer,
    put_columns,
    rectify,
    rows_of,
    standardise,
    stretch,
)
from gaussiantalker.kernels.products import WIDTH
from gaussiantalker.kernels.simd import LANES, load, store
from gaussiantalker.kernels.threads import compiled, for_each, helper, pool


@helper
def _add(columns, others):
    for at in range(0, columns.size, LANES):
        store(columns, at, load(columns, at) + load(others, at))


def _forward_chunk(layer):
    @helper
    def forward_chunk(chunk, x, scale, shift, first, first_bias, last, last_bias, last_scale, last_shift, out):
        columns, result = np.empty((x.shape[1], WIDTH), f4), np.empty((x.shape[1], WIDTH), f4)
        hidden, rates = np.empty((len(first), WIDTH), f4), np.empty(WIDTH, f4)
        columns_of(x, chunk, columns)
        standardise(columns, rates)
        stretch(columns, scale, shift, columns)
        layer(len(first), first, 0, first_bias, columns, hidden, 0)
        rectify(hidden)
        layer(len(last), last, 0, last_bias, hidden, result, 0)
        _add(result, columns)
        standardise(result, rates)
        stretch(result, last_scale, last_shift, result)
        put_columns(result, chunk, out)

    return forward_chunk


_exact_chunk, _bf16_chunk = _forward_chunk(layer), _forward_chunk(bf16_layer)


@helper
def _backward_slice(part, weights, grad, x_grad, sums):
    x, scale, shift, first, first_bias, last, last_bias, last_scale = weights
    to_scale, to_shift, to_first, to_first_bias, to_last, to_last_bias, to_last_scale, to_last_shift = sums
    inputs, width = x.shape[1], len(first)
    standard, columns = np.empty((inputs, WIDTH), f4), np.empty((inputs, WIDTH), f4)
    result, arriving = np.empty((inputs, WIDTH), f4), np.empty((inputs, WIDTH), f4)
    hidden, to_hidden = np.empty((width, WIDTH), f4), np.empty((width, WIDTH), f4)
    rates, last_rates = np.empty(WIDTH, f4), np.empty(WIDTH, f4)
    rows, hidden_rows = np.zeros((WIDTH, to_first.shape[1]), f4), np.zeros((WIDTH, to_last.shape[1]), f4)
    for chunk in range(part, -(-len(x) // WIDTH), SLICES):
        columns_of(x, chunk, standard)
        standardise(standard, rates)
        stretch(standard, scale, shift, columns)
        layer(width, first, 0, first_bias, columns, hidden, 0)
        rectify(hidden)
        layer(inputs, last, 0, last_bias, hidden, result, 0)
        _add(result, columns)
        standardise(result, last_rates)
        columns_of(grad, chunk, arriving)
        back_through_norm(arriving, result, last_rates, last_scale, to_last_scale, to_last_shift, part * inputs)
        add_sums(arriving, to_last_bias, part * inputs)
        rows_of(hidden, hidden_rows)
        add_outer(inputs, arriving, 0, hidden_rows, to_last, part * inputs)
        fill(to_hidden, f4(0))
        back(inputs, last, 0, arriving, 0, to_hidden)
        gate(to_hidden, hidden)
        add_sums(to_hidden, to_first_bias, part * width)
        rows_of(columns, rows)
        add_outer(width, to_hidden, 0, rows, to_first, part * width)
        back(width, first, 0, to_hidden, 0, arriving)
        back_through_norm(arriving, standard, rates, scale, to_scale, to_shift, part * inputs)
        put_columns(arriving, chunk, x_grad)


@compiled
def _forward_all(threads, x, weights, out):
    for_each(threads, -(-len(x) // WIDTH), _exact_chunk, (x, *weights, out))


@compiled
def _bf16_all(threads, x, weights, out):
    for_each(threads, -(-len(x) // WIDTH), _bf16_chunk, (x, *weights, out))


@compiled
def _backward_all(threads, weights, grad, x_grad, sums):
    for_each(threads, SLICES, _backward_slice, (weights, grad, x_grad, sums))


class _Finish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, bf16, x, *weights):
        rows = array(x)
        arrays = tuple(bf16_array(w) if bf16 and w.ndim == 2 else array(w) for w in weights)
        out = np.empty_like(rows)
        (_bf16_all if bf16 else _forward_all)(pool(), rows, arrays, out)
        ctx.arrays = rows, arrays
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        rows, arrays = ctx.arrays
        x_grad, sums = np.empty_like(rows), [Sums(weights.shape) for weights in arrays]
        parts = tuple(each.parts for each in sums)
        _backward_all(pool(), (rows, *arrays[:-1]), array(grad), x_grad, parts)
        return None, torch.from_numpy(x_grad), *(each.total() for each in sums)


def finish(
    x: Tensor, norm: nn.LayerNorm, feedforward: nn.Sequential, last_norm: nn.LayerNorm, *, bf16: bool = False
) -> Tensor:
    """LN(FFN(z) + z) of z = LN(x), [..., width] to the same; `bf16` rounds factors to bfloat16."""
    weights = [weight for part in (norm, feedforward, last_norm) for weight in part.parameters()]
    bf16 = bf16 and not any(weight.shape[-1] % 2 for weight in weights if weight.ndim == 2)
    return _Finish.apply(bf16, x.flatten(0, -2), *weights).unflatten(0, x.shape[:-1])
