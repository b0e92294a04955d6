"""Folded cross-attention as a CPU kernel: scores, softmax and mixture of sixty-four Gaussians at a time."""

import math

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
    columns_of,
    fill,
    layer,
    put_columns,
    rows_of,
)
from gaussiantalker.kernels.products import WIDTH
from gaussiantalker.kernels.simd import LANES, exp2, load, maximum, splat, store
from gaussiantalker.kernels.threads import compiled, for_each, helper, pool

LOG2_E, LEAST = f4(1 / math.log(2)), f4(-125)  # exp2 is not defined below


@helper
def _softmax(scores, heads):
    """Over each head's tokens [heads * tokens, 64], in place."""
    tokens = len(scores) // heads
    for begin in range(0, len(scores) * WIDTH, tokens * WIDTH):
        for lane in range(begin, begin + WIDTH, LANES):
            highest, total = load(scores, lane), splat(f4(0))
            for at in range(lane, lane + tokens * WIDTH, WIDTH):
                highest = maximum(highest, load(scores, at))
            for at in range(lane, lane + tokens * WIDTH, WIDTH):
                share = exp2(maximum((load(scores, at) - highest) * LOG2_E, splat(LEAST)))
                store(scores, at, share)
                total = total + share
            for at in range(lane, lane + tokens * WIDTH, WIDTH):
                store(scores, at, load(scores, at) / total)


@helper
def _back_through_softmax(arriving, shares, heads):
    tokens = len(shares) // heads
    for begin in range(0, len(shares) * WIDTH, tokens * WIDTH):
        for lane in range(begin, begin + WIDTH, LANES):
            mean = splat(f4(0))
            for at in range(lane, lane + tokens * WIDTH, WIDTH):
                mean = mean + load(arriving, at) * load(shares, at)
            for at in range(lane, lane + tokens * WIDTH, WIDTH):
                store(arriving, at, (load(arriving, at) - mean) * load(shares, at))


@helper
def _forward_chunk(chunk, z, keys, offsets, values, bias, heads, out):
    columns, result = np.empty((z.shape[2], WIDTH), f4), np.empty((z.shape[2], WIDTH), f4)
    shares = np.empty((keys.shape[1], WIDTH), f4)
    for frame in range(len(keys)):
        if frame < len(z):
            columns_of(z[frame], chunk, columns)
        layer(len(shares), keys[frame], 0, offsets[frame], columns, shares, 0)
        _softmax(shares, heads)
        for k in range(len(result)):
            for lane in range(0, WIDTH, LANES):
                store(result, k * WIDTH + lane, splat(bias[k]))
        back(len(shares), values[frame], 0, shares, 0, result)
        put_columns(result, chunk, out[frame])


@helper
def _backward_slice(part, inputs, heads, grad, z_grad, sums):
    z, keys, offsets, values = inputs
    to_keys, to_offsets, to_values, to_bias = sums
    width, tokens = z.shape[2], keys.shape[1]
    columns, to_columns = np.empty((width, WIDTH), f4), np.empty((width, WIDTH), f4)
    rows, arriving = np.zeros((WIDTH, to_keys.shape[1]), f4), np.empty((width, WIDTH), f4)
    arriving_rows, nothing = np.zeros((WIDTH, to_values.shape[1]), f4), np.zeros(tokens, f4)
    shares, to_shares = np.empty((tokens, WIDTH), f4), np.empty((tokens, WIDTH), f4)
    for chunk in range(part, -(-z.shape[1] // WIDTH), SLICES):
        for frame in range(len(keys)):
            row = (part * len(keys) + frame) * tokens
            if frame < len(z):
                columns_of(z[frame], chunk, columns)
                rows_of(columns, rows)
                fill(to_columns, f4(0))
            layer(tokens, keys[frame], 0, offsets[frame], columns, shares, 0)
            _softmax(shares, heads)
            columns_of(grad[frame], chunk, arriving)
            rows_of(arriving, arriving_rows)
            add_sums(arriving, to_bias, part * width)
            add_outer(tokens, shares, 0, arriving_rows, to_values, row)
            layer(tokens, values[frame], 0, nothing, arriving, to_shares, 0)
            _back_through_softmax(to_shares, shares, heads)
            add_sums(to_shares, to_offsets, row)
            add_outer(tokens, to_shares, 0, rows, to_keys, row)
            back(tokens, keys[frame], 0, to_shares, 0, to_columns)
            if len(z) > 1 or frame == len(keys) - 1:
                put_columns(to_columns, chunk, z_grad[frame % len(z)])


@compiled
def _forward_all(threads, z, keys, offsets, values, bias, heads, out):
    for_each(threads, -(-z.shape[1] // WIDTH), _forward_chunk, (z, keys, offsets, values, bias, heads, out))


@compiled
def _backward_all(threads, inputs, heads, grad, z_grad, sums):
    for_each(threads, SLICES, _backward_slice, (inputs, heads, grad, z_grad, sums))


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx, heads, *tensors):
        *inputs, bias = (array(tensor) for tensor in tensors)
        z, keys = inputs[:2]
        out = np.empty((len(keys), *z.shape[1:]), f4)
        _forward_all(pool(), *inputs, bias, heads, out)
        ctx.heads, ctx.inputs = heads, tuple(inputs)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        z, keys, offsets, values = ctx.inputs
        rows = keys.shape[0] * keys.shape[1]
        sums = [Sums(shape) for shape in ((rows, keys.shape[2]), (rows,), (rows, values.shape[2]), (z.shape[2],))]
        z_grad = np.empty_like(z)
        _backward_all(pool(), ctx.inputs, ctx.heads, array(grad), z_grad, tuple(each.parts for each in sums))
        to_keys, to_offsets, to_values, to_bias = (each.total() for each in sums)
        folded = to_keys.view(keys.shape), to_offsets.view(offsets.shape), to_values.view(values.shape)
        return None, torch.from_numpy(z_grad), *folded, to_bias


def attend(z: Tensor, keys: Tensor, offsets: Tensor, values: Tensor, bias: Tensor, heads: int) -> Tensor:
    """See `attention.attend_reference`."""
    return _Attend.apply(heads, z, keys, offsets, values, bias)
