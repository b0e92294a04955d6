"""A vector of sixteen float32 as a value inside numba kernels.

Plain loops leave speed to LLVM's auto-vectoriser, which gives up silently on wrap-around indexing or possible
aliasing. This type says what is meant: `vec` holds sixteen floats, `mask` sixteen truth values, and LLVM maps them
to one AVX-512 register, two of AVX2 or four of SSE and NEON. Arithmetic (+ - * / and comparisons) works between
vectors and between a vector and a float32 scalar; `&` and `|` join masks. Everything here may only be called from
code that numba compiles.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import lower_builtin, models, register_model, type_callable

LANES = 16

_FLOAT, _INT, _BIT = ir.FloatType(), ir.IntType(32), ir.IntType(1)
_FLOATS, _INTS, _BITS = (ir.VectorType(t, LANES) for t in (_FLOAT, _INT, _BIT))
_FMA = {"flags": ("contract",)}  # lets LLVM fuse a product and a sum, and nothing else


class _VecType(types.Type):
    """Sixteen float32."""

    def __init__(self) -> None:
        super().__init__("float32x16")


class _MaskType(types.Type):
    """Sixteen truth values."""

    def __init__(self) -> None:
        super().__init__("bool1x16")


vec, mask = _VecType(), _MaskType()


@register_model(_VecType)
class _VecModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type) -> None:
        super().__init__(manager, fe_type, _FLOATS)


@register_model(_MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type) -> None:
        super().__init__(manager, fe_type, _BITS)


def intrinsic(function: Callable) -> Any:
    """numba's. Here checkers of types stop: kernels call what it makes without its first parameter."""
    return extending.intrinsic(function)


def _constant(element: ir.Type, values: Sequence) -> ir.Constant:
    return ir.Constant(ir.VectorType(element, LANES), [ir.Constant(element, value) for value in values])


def _floats(value: float) -> ir.Constant:
    return _constant(_FLOAT, [value] * LANES)


def _ints(value: int) -> ir.Constant:
    return _constant(_INT, [value] * LANES)


def _spread(builder, value):
    """A scalar in all lanes; a vector as it is."""
    if isinstance(value.type, ir.VectorType):
        return value
    first = builder.insert_element(ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined), value, _INT(0))
    return builder.shuffle_vector(first, first, _ints(0))


def _call_llvm(builder, name: str, result: ir.Type, arguments: list):
    known = builder.module.globals.get(name)
    function = known or ir.Function(builder.module, ir.FunctionType(result, [a.type for a in arguments]), name)
    return builder.call(function, arguments)


def _emitter(emit: Callable) -> Callable:
    return lambda context, builder, signature, values: emit(builder, *(_spread(builder, value) for value in values))


def _operator(symbol: Callable, emit: Callable, result: types.Type) -> None:
    """Gives a Python operator its meaning between vectors, and between a vector and a float32."""

    @type_callable(symbol)
    def choose(context):
        def typer(a, b):
            vectors = isinstance(a, _VecType) + isinstance(b, _VecType)
            return result if vectors and vectors + (a == types.float32) + (b == types.float32) == 2 else None

        return typer

    for kinds in ((_VecType, _VecType), (_VecType, types.Float), (types.Float, _VecType)):
        lower_builtin(symbol, *kinds)(_emitter(emit))


def _arithmetic(instruction: str, *symbols: Callable) -> None:
    for symbol in symbols:
        _operator(symbol, lambda builder, x, y: getattr(builder, instruction)(x, y, **_FMA), vec)


def _comparison(name: str, symbol: Callable) -> None:
    _operator(symbol, lambda builder, x, y: builder.fcmp_ordered(name, x, y), mask)


_arithmetic("fadd", operator.add, operator.iadd)
_arithmetic("fsub", operator.sub, operator.isub)
_arithmetic("fmul", operator.mul, operator.imul)
_arithmetic("fdiv", operator.truediv, operator.itruediv)
_comparison("<", operator.lt)
_comparison("<=", operator.le)
_comparison(">", operator.gt)
_comparison(">=", operator.ge)


def _join_masks(instruction: str, symbol: Callable) -> None:
    @type_callable(symbol)
    def choose(context):
        return lambda a, b: mask if isinstance(a, _MaskType) and isinstance(b, _MaskType) else None

    lower_builtin(symbol, _MaskType, _MaskType)(_emitter(lambda builder, x, y: getattr(builder, instruction)(x, y)))


_join_masks("and_", operator.and_)
_join_masks("or_", operator.or_)


@type_callable(operator.neg)
def _type_negative(context):
    return lambda a: vec if isinstance(a, _VecType) else None


lower_builtin(operator.neg, _VecType)(_emitter(lambda builder, x: builder.fneg(x)))


def _smaller(order: str) -> Callable:
    """The one of two vectors (or a vector and a scalar) that comes first in this order, lane by lane."""

    @intrinsic
    def function(typing_context, a, b):
        return vec(a, b), _emitter(lambda builder, x, y: builder.select(builder.fcmp_ordered(order, x, y), x, y))

    return function


minimum, maximum = _smaller("<"), _smaller(">")


@intrinsic
def splat(typing_context, scalar):
    """The scalar in all sixteen lanes."""
    return vec(scalar), lambda context, builder, signature, values: _spread(builder, values[0])


def constant(values: Sequence[float]) -> Callable:
    """A function without arguments whose value is this vector, known when the kernel is compiled."""
    lanes = [float(value) for value in values]

    @intrinsic
    def function(typing_context):
        return vec(), lambda context, builder, signature, values: _constant(_FLOAT, lanes)

    return function


@intrinsic
def select(typing_context, condition, a, b):
    """Per lane, a where the mask is true and b elsewhere."""

    def generate(context, builder, signature, values):
        return builder.select(values[0], _spread(builder, values[1]), _spread(builder, values[2]))

    return vec(condition, a, b), generate


@intrinsic
def bits(typing_context, condition):
    """The mask as an integer: bit i is lane i."""

    def generate(context, builder, signature, values):
        return builder.zext(builder.bitcast(values[0], ir.IntType(LANES)), _INT)

    return types.int32(condition), generate


@intrinsic
def lowest_bit(typing_context, integer):
    """Index of the lowest set bit of a non-zero int32."""
    return (
        types.int32(types.int32),
        lambda context, builder, signature, values: builder.cttz(values[0], _BIT(1)),
    )


def _rounded_by_llvm(name: str) -> Callable:
    @intrinsic
    def function(typing_context, a):
        return vec(a), _emitter(lambda builder, x: _call_llvm(builder, f"llvm.{name}.v{LANES}f32", _FLOATS, [x]))

    return function


sqrt, ceil = _rounded_by_llvm("sqrt"), _rounded_by_llvm("ceil")


def _polynomial(builder, x, coefficients: Sequence[float]):
    """Horner's scheme, highest power first."""
    total = _floats(coefficients[0])
    for coefficient in coefficients[1:]:
        total = builder.fadd(builder.fmul(total, x, **_FMA), _floats(coefficient), **_FMA)
    return total


# The polynomial of fifth degree with the least relative error over [-1/2, 1/2], 1.1e-7.
_EXP2 = (1.331524154e-3, 9.675857077e-3, 5.550631883e-2, 0.2402212137, 0.6931469374, 1.000000062)


@intrinsic
def exp2(typing_context, a):
    """2**a to a relative error of 3e-7 for |a| < 126; outside, a meaningless number but never a trap."""

    def generate(context, builder, signature, values):
        # Adding 1.5 * 2**23 rounds to an integer in the low bits, which then become the exponent.
        rounded = builder.fadd(values[0], _floats(12582912.0))
        fraction = builder.fsub(values[0], builder.fsub(rounded, _floats(12582912.0)))
        power = builder.bitcast(_polynomial(builder, fraction, _EXP2), _INTS)
        exponent = builder.shl(builder.bitcast(rounded, _INTS), _ints(23))
        return builder.bitcast(builder.add(power, exponent), _FLOATS)

    return vec(a), generate


# Of log2((1 + s) / (1 - s)) in powers of s, highest first; the next term is below 5e-8 where a number has |s| < 0.172.
_LOG2 = tuple(2 / (power * math.log(2)) for power in (7, 5, 3, 1))


@intrinsic
def log2(typing_context, a):
    """Of positive normal numbers, to 1e-7 absolutely."""

    def generate(context, builder, signature, values):
        bits, half = builder.bitcast(values[0], _INTS), _ints(0x3F3504F3)  # the root of a half
        exponent = builder.ashr(builder.sub(bits, half), _ints(23))
        # From that root to its double.
        x = builder.bitcast(builder.sub(bits, builder.shl(exponent, _ints(23))), _FLOATS)
        s = builder.fdiv(builder.fsub(x, _floats(1.0)), builder.fadd(x, _floats(1.0)))
        series = builder.fmul(s, _polynomial(builder, builder.fmul(s, s), _LOG2), **_FMA)
        return builder.fadd(builder.sitofp(exponent, _FLOATS), series, **_FMA)

    return vec(a), generate


def _address(context, builder, array_type, array, index):
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index], inbounds=True)


@intrinsic
def load(typing_context, array, index):
    """Sixteen neighbours of a C-contiguous float32 array of any shape, from this flat element index. Unchecked."""

    def generate(context, builder, signature, values):
        address = _address(context, builder, signature.args[0], *values)
        return builder.load(builder.bitcast(address, _FLOATS.as_pointer()), align=4)

    return vec(array, types.int64), generate


def _quarters(builder, vectors, lanes: Sequence[int]):
    """Sixteen chosen lanes of vectors of four, which are counted through."""
    while len(vectors) > 1:
        count = 2 * vectors[0].type.count
        every = ir.Constant(ir.VectorType(_INT, count), [_INT(lane) for lane in range(count)])
        vectors = [builder.shuffle_vector(*pair, every) for pair in zip(vectors[::2], vectors[1::2], strict=True)]
    return builder.shuffle_vector(vectors[0], vectors[0], _constant(_INT, lanes))


@intrinsic
def load_fours(typing_context, array, a, b, c, d):
    """Four neighbours from each of four flat indices of a C-contiguous float32 array, side by side. Unchecked."""

    def generate(context, builder, signature, values):
        places = (_address(context, builder, signature.args[0], values[0], index) for index in values[1:])
        kind = ir.VectorType(_FLOAT, 4).as_pointer()
        fours = [builder.load(builder.bitcast(place, kind), align=4) for place in places]
        return _quarters(builder, fours, range(LANES))

    return vec(array, *[types.int64] * 4), generate


@intrinsic
def each_four_times(typing_context, a, b, c, d):
    """Four float32, each in four lanes."""

    def generate(context, builder, signature, values):
        total = ir.Constant(ir.VectorType(_FLOAT, 4), ir.Undefined)
        for lane, value in enumerate(values):
            total = builder.insert_element(total, value, _INT(lane))
        return _quarters(builder, [total], [lane // 4 for lane in range(LANES)])

    return vec(a, b, c, d), generate


@intrinsic
def every_fourth(typing_context, a):
    """Lanes 3, 7, 11 and 15, each in the place of its own four."""
    return vec(a), lambda context, builder, signature, values: _quarters(
        builder, values, [lane // 4 * 4 + 3 for lane in range(LANES)]
    )


@intrinsic
def with_bit(typing_context, pairs, index, bit):
    """Of the sixteen pairs of an int32 array [N, 2] from this flat index, as bits: in whose second this bit is set.
    Unchecked."""

    def generate(context, builder, signature, values):
        address = _address(context, builder, signature.args[0], *values[:2])
        both = builder.load(builder.bitcast(address, ir.VectorType(_INT, 2 * LANES).as_pointer()), align=4)
        second = builder.shuffle_vector(both, both, _constant(_INT, range(1, 2 * LANES, 2)))
        wanted = _spread(builder, builder.shl(_INT(1), builder.trunc(values[2], _INT)))
        found = builder.icmp_unsigned("!=", builder.and_(second, wanted), _ints(0))
        return builder.zext(builder.bitcast(found, ir.IntType(LANES)), ir.IntType(64))

    return types.int64(pairs, types.int64, types.int64), generate


@intrinsic
def interleaved(typing_context, a, b, c):
    """a0 b0 c0 a1 b1 c1 and so on, as a tuple of three vectors."""

    def generate(context, builder, signature, values):
        parts = []
        for first in range(0, 3 * LANES, LANES):
            lanes = range(first, first + LANES)
            ab = [i // 3 + (LANES if i % 3 == 1 else 0) for i in lanes]
            abc = [LANES + i // 3 if i % 3 == 2 else k for k, i in enumerate(lanes)]
            two = builder.shuffle_vector(values[0], values[1], _constant(_INT, ab))
            parts.append(builder.shuffle_vector(two, values[2], _constant(_INT, abc)))
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(vec, 3)(a, b, c), generate


@intrinsic
def add_integer_products(typing_context, total, array, index, factors):
    """total + a[2 i] x + a[2 i + 1] y in lane i, for the 32 neighbours a from this flat index of an int8 array.

    `factors` is a float32 whose bits are x and y, two int16; `total`'s bits and the result's are int32, which
    `from_integers` makes floats of. Unchecked.
    """

    def generate(context, builder, signature, values):
        shorts, longs = (ir.VectorType(ir.IntType(bits), 2 * LANES) for bits in (16, 32))
        total, array, index, factors = values
        address = _address(context, builder, signature.args[1], array, index)
        bytes_ = builder.load(builder.bitcast(address, ir.VectorType(ir.IntType(8), 2 * LANES).as_pointer()), align=1)
        pairs = builder.bitcast(_spread(builder, factors), shorts)
        products = builder.mul(builder.sext(bytes_, longs), builder.sext(pairs, longs))
        even, odd = (
            builder.shuffle_vector(products, products, _constant(_INT, range(first, 2 * LANES, 2))) for first in (0, 1)
        )
        return builder.bitcast(builder.add(builder.bitcast(total, _INTS), builder.add(even, odd)), _FLOATS)

    return vec(vec, array, types.int64, types.float32), generate


@intrinsic
def from_integers(typing_context, integers):
    """The int32 that the bits of a vector are, as floats."""

    def generate(context, builder, signature, values):
        return builder.sitofp(builder.bitcast(values[0], _INTS), _FLOATS)

    return vec(vec), generate


@intrinsic
def store(typing_context, array, index, value):
    """Writes sixteen neighbours from this flat element index. Unchecked."""

    def generate(context, builder, signature, values):
        address = _address(context, builder, signature.args[0], *values[:2])
        builder.store(values[2], builder.bitcast(address, _FLOATS.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), generate


def _row_addresses(context, builder, array_type, array, first, k):
    """Addresses of column k in sixteen rows of a C-contiguous array [N, C]."""
    rows = context.make_array(array_type)(context, builder, array)
    width = builder.extract_value(rows.shape, 1)
    start = builder.add(builder.mul(first, width), k)
    for lane in range(LANES):
        yield lane, builder.gep(rows.data, [builder.add(start, builder.mul(width, width.type(lane)))], inbounds=True)


@intrinsic
def column(typing_context, rows, first, k):
    """Column k of the sixteen rows from `first` of a C-contiguous float32 array [N, C]. Unchecked."""

    def generate(context, builder, signature, values):
        total = ir.Constant(_FLOATS, ir.Undefined)
        for lane, address in _row_addresses(context, builder, signature.args[0], *values):
            total = builder.insert_element(total, builder.load(address), _INT(lane))
        return total

    return vec(rows, types.int64, types.int64), generate


@intrinsic
def put_column(typing_context, rows, first, k, value):
    """Writes column k of the sixteen rows from `first`. Unchecked."""

    def generate(context, builder, signature, values):
        for lane, address in _row_addresses(context, builder, signature.args[0], *values[:3]):
            builder.store(builder.extract_element(values[3], _INT(lane)), address)
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64, value), generate


@intrinsic
def lane_sums(typing_context, vectors):
    """Of a tuple of up to sixteen vectors, one vector whose lane k is the sum over vector k.

    Pairs of vectors are folded into one while their lanes are halved: 15 shuffled additions instead of 16 x 4.
    """
    count = len(vectors)

    def fold(builder, x, y, half: int):
        low = [(i % (2 * half) >= half) * LANES + i // (2 * half) * 2 * half + i % half for i in range(LANES)]
        high = [lane + half for lane in low]
        return builder.fadd(*(builder.shuffle_vector(x, y, _constant(_INT, lanes)) for lanes in (low, high)))

    def generate(context, builder, signature, values):
        parts = [builder.extract_value(values[0], k) for k in range(count)] + [_floats(0.0)] * (LANES - count)
        for half in (8, 4, 2, 1):
            parts = [fold(builder, parts[i], parts[i + half], half) for i in range(half)]
        return parts[0]

    return vec(vectors), generate
