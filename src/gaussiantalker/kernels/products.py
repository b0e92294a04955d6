"""Small matrix products inside kernels, near the processor's peak while everything fits in its nearest caches.

A tile of the result stays in registers: four rows of as many vectors as the registers allow. Every step loads one row
of b and four numbers of a, and spends them on all of the tile's fused products. A product of 640x64 by 64x64 measured
252 GFLOP/s on a core whose peak is about 265, and 476 with factors of half the size, where the peak is about 535.
"""

import os
from collections.abc import Callable

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils

from gaussiantalker.kernels.simd import LANES, intrinsic, vec
from gaussiantalker.kernels.threads import helper

# Who makes numba compile for another processor (NUMBA_CPU_NAME) gets what every processor can do.
_FEATURES = {} if os.environ.get("NUMBA_CPU_NAME") else llvmlite.binding.get_host_cpu_features()
HAS_BFLOAT = bool(_FEATURES.get("avx512bf16"))
"""Whether `add_bf16_product` may be called."""
WIDTH = 64
"""Columns of b and of the result come in multiples of this."""
_ROWS, _VECTORS = 4, 4 if _FEATURES.get("avx512f") else 1


class _BFloat(ir.Type):
    """bfloat16, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


_FLOATS, _INTS, _SHORTS = (ir.VectorType(kind, LANES) for kind in (ir.FloatType(), ir.IntType(32), ir.IntType(16)))
_BFLOATS, _PAIRS = (ir.VectorType(_BFloat(), count) for count in (LANES, 2 * LANES))


def _add_fused(builder, total, a, b):
    return builder.fadd(total, builder.fmul(a, b, flags=("contract",)), flags=("contract",))


def _add_brief(builder, total, a, b):
    """Every lane of a and b is two bfloat16; both products are added in single precision."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS, _PAIRS, _PAIRS])
    dot = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512bf16.dpbf16ps.512")
    return builder.call(dot, [total, builder.bitcast(a, _PAIRS), builder.bitcast(b, _PAIRS)])


@intrinsic
def pair(typing_context, first, second):
    """Lane by lane two float32, rounded to bfloat16, in the bits of one: the layout of `add_bf16_product`."""

    def generate(context, builder, signature, values):
        halves = [builder.bitcast(builder.fptrunc(value, _BFLOATS), _SHORTS) for value in values]
        low, high = (builder.zext(half, _INTS) for half in halves)
        high = builder.shl(high, ir.Constant(_INTS, [16] * LANES))
        return builder.bitcast(builder.or_(low, high), _FLOATS)

    return vec(first, second), generate


@intrinsic
def turn_block(typing_context, source, source_at, source_row, target, target_at, target_row):
    """The 16x16 numbers from a flat index on, rows so far apart, into another C-contiguous array with rows as columns.

    Halves of vectors are exchanged, then quarters, down to single lanes: 64 shuffles. Unchecked.
    """

    def generate(context, builder, signature, values):
        def row(k: int, lane: int):
            data = context.make_array(signature.args[k])(context, builder, values[k]).data
            index = builder.add(values[k + 1], builder.mul(values[k + 2], ir.IntType(64)(lane)))
            return builder.bitcast(builder.gep(data, [index], inbounds=True), _FLOATS.as_pointer())

        rows = [builder.load(row(0, lane), align=4) for lane in range(LANES)]
        for half in (8, 4, 2, 1):
            lanes = [(lane, lane & half) for lane in range(LANES)]
            upper = ir.Constant(_INTS, [lane + LANES - half if second else lane for lane, second in lanes])
            lower = ir.Constant(_INTS, [lane + LANES if second else lane + half for lane, second in lanes])
            for i, second in lanes:
                if not second:
                    a, b = rows[i], rows[i + half]
                    rows[i], rows[i + half] = (builder.shuffle_vector(a, b, part) for part in (upper, lower))
        for lane, value in enumerate(rows):
            builder.store(value, row(3, lane), align=4)
        return context.get_dummy_value()

    i8 = types.int64
    return types.void(source, i8, i8, target, i8, i8), generate


def _tile(rows: int, add: Callable) -> Callable:
    """out[r, c] += sum over k of a[r, k] b[k, c] for so many rows and the columns of one tile.

    Arrays are C-contiguous float32 of any shape, walked by flat index: where to start, then the strides of rows and
    of k. `add(builder, total, a, b)` emits one step for one vector.
    """

    @intrinsic
    def tile(typing_context, out, out_at, out_row, a, a_at, a_row, a_next, b, b_at, b_next, depth):
        def generate(context, builder, signature, values):
            arrays = {k: context.make_array(signature.args[k])(context, builder, values[k]).data for k in (0, 3, 7)}
            _, out_at, out_row, _, a_at, a_row, a_next, _, b_at, b_next, depth = values
            number = depth.type

            def place(array: int, start, stride, count, vector: int = 0):
                index = builder.add(builder.add(start, builder.mul(stride, count)), number(LANES * vector))
                return builder.gep(arrays[array], [index], inbounds=True)

            def vector_place(*where):
                return builder.bitcast(place(*where), _FLOATS.as_pointer())

            cells = [(r, v) for r in range(rows) for v in range(_VECTORS)]
            outs = [vector_place(0, out_at, out_row, number(r), v) for r, v in cells]
            totals = [cgutils.alloca_once_value(builder, builder.load(out, align=4)) for out in outs]
            with cgutils.for_range(builder, depth) as loop:
                right = [builder.load(vector_place(7, b_at, b_next, loop.index, v), align=4) for v in range(_VECTORS)]
                at = builder.add(a_at, builder.mul(a_next, loop.index))
                left = [_spread(builder, builder.load(place(3, at, a_row, number(r)))) for r in range(rows)]
                for (r, v), total in zip(cells, totals, strict=True):
                    builder.store(add(builder, builder.load(total), left[r], right[v]), total)
            for out, total in zip(outs, totals, strict=True):
                builder.store(builder.load(total), out, align=4)
            return context.get_dummy_value()

        i8 = types.int64
        return types.void(out, i8, i8, a, i8, i8, i8, b, i8, i8, i8), generate

    return tile


def _spread(builder, scalar):
    first = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(first, first, ir.Constant(_INTS, [0] * LANES))


def _product(add: Callable) -> Callable:
    four, one = _tile(_ROWS, add), _tile(1, add)

    @helper
    def add_product(rows, depth, columns, out, out_at, out_row, a, a_at, a_row, a_next, b, b_at, b_next):
        whole = rows // _ROWS * _ROWS
        for c in range(0, columns, LANES * _VECTORS):
            for r in range(0, whole, _ROWS):
                four(
                    out,
                    out_at + r * out_row + c,
                    out_row,
                    a,
                    a_at + r * a_row,
                    a_row,
                    a_next,
                    b,
                    b_at + c,
                    b_next,
                    depth,
                )
            for r in range(whole, rows):
                one(
                    out,
                    out_at + r * out_row + c,
                    out_row,
                    a,
                    a_at + r * a_row,
                    a_row,
                    a_next,
                    b,
                    b_at + c,
                    b_next,
                    depth,
                )

    return add_product


add_product = _product(_add_fused)
"""out[r, c] += sum over k of a[r, k] b[k, c] for r < rows, k < depth and c < columns, a multiple of WIDTH.

Of each array: its flat start, the stride of its rows and, for a, that of k."""
add_bf16_product = _product(_add_brief)
"""The same where each number of a and b is a `pair` of neighbours along k, and `depth` counts pairs."""
