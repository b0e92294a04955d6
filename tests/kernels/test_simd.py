import numpy as np
import pytest

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.threads import compiled

f4 = np.float32
_ramp = simd.constant(range(16))


@compiled
def arithmetic(a, b, scalar, out):
    x, y = simd.load(a, 0), simd.load(b, 0)
    simd.store(out, 0, x + y * scalar)
    simd.store(out, 16, (scalar - x) / y)
    simd.store(out, 32, -x)
    simd.store(out, 48, simd.minimum(x, y))
    simd.store(out, 64, simd.maximum(scalar, y))
    simd.store(out, 80, simd.sqrt(y))
    simd.store(out, 96, simd.select((x < y) & (y >= scalar), x, f4(7)))
    simd.store(out, 112, simd.select((x > y) | (y <= scalar), scalar, y))
    simd.store(out, 128, _ramp() + simd.splat(scalar))
    x += y
    x *= scalar
    x -= y
    x /= scalar
    simd.store(out, 144, x)


def test_arithmetic_is_numpy_s():
    rng = np.random.default_rng(0)
    a, b, s = rng.normal(size=16).astype(f4), (rng.random(16) + 0.1).astype(f4), f4(0.6)
    out = np.empty((10, 16), f4)
    arithmetic(a, b, s, out)
    expected = [a + b * s, (s - a) / b, -a, np.minimum(a, b), np.maximum(s, b), np.sqrt(b)]
    expected += [np.where((a < b) & (b >= s), a, 7), np.where((a > b) | (b <= s), s, b), np.arange(16) + s]
    expected += [((a + b) * s - b) / s]
    np.testing.assert_allclose(out, np.stack(expected), rtol=3e-6, atol=1e-6)


@compiled
def powers(a, out):
    for i in range(0, len(a), 16):
        simd.store(out, i, simd.exp2(simd.load(a, i)))


def test_powers_of_two():
    a = np.linspace(-125.9, 125.9, 16 * 500).astype(f4)
    out = np.empty_like(a)
    powers(a, out)
    np.testing.assert_allclose(out, np.exp2(a.astype(float)), rtol=3e-7)


@compiled
def logarithms(a, out, wholes):
    for i in range(0, len(a), 16):
        simd.store(out, i, simd.log2(simd.load(a, i)))
        simd.store(wholes, i, simd.ceil(simd.load(a, i)))


def test_logarithms_to_base_two_and_ceilings():
    a = np.exp2(np.linspace(-30, 30, 16 * 500)).astype(f4)
    out, wholes = np.empty_like(a), np.empty_like(a)
    logarithms(a, out, wholes)
    np.testing.assert_allclose(out, np.log2(a.astype(float)), rtol=1.2e-7, atol=1e-7)
    np.testing.assert_array_equal(wholes, np.ceil(a))


@compiled
def exchange(pairs, a, out, found):
    for k, part in enumerate(simd.interleaved(simd.load(a, 0), simd.load(a, 16), simd.load(a, 32))):
        simd.store(out, 16 * k, part)
    for bit in range(16):
        found[bit] = simd.with_bit(pairs, 2, bit)


def test_columns_become_rows():
    rng = np.random.default_rng(0)
    pairs, a = rng.integers(0, 1 << 16, (20, 2)).astype(np.int32), rng.random((3, 16)).astype(f4)
    out, found = np.empty((16, 3), f4), np.empty(16, np.int64)
    exchange(pairs, a, out, found)
    np.testing.assert_array_equal(out, a.T)
    bits = pairs[1:17, 1:] >> np.arange(16) & 1
    np.testing.assert_array_equal(found, (bits << np.arange(16)[:, None]).sum(axis=0))


@compiled
def movement(a, table, out):
    simd.store(out, 0, simd.column(table, 2, 1))
    simd.put_column(table, 4, 0, simd.load(a, 16))
    rows = (simd.load(a, 0), simd.load(a, 16), simd.load(a, 32))
    simd.store(out, 16, simd.lane_sums(rows))
    return simd.bits(simd.load(a, 0) < f4(3)), simd.lowest_bit(simd.bits(simd.load(a, 0) > f4(4)))


def test_loads_stores_and_sums():
    a, table, out = np.arange(100, dtype=f4), np.arange(60, dtype=f4).reshape(20, 3), np.zeros(32, f4)
    before = table.copy()
    mask, lowest = movement(a, table, out)
    np.testing.assert_array_equal(out[:16], before[2:18, 1])
    np.testing.assert_array_equal(table[4:20, 0], a[16:32])
    np.testing.assert_array_equal(table[:4], before[:4])
    np.testing.assert_array_equal(table[4:, 1:], before[4:, 1:])
    np.testing.assert_allclose(out[16:], [a[:16].sum(), a[16:32].sum(), a[32:48].sum(), *[0] * 13])
    assert (mask, lowest) == (0b111, 5)


@compiled
def fours(a, places, out):
    simd.store(out, 0, simd.load_fours(a, places[0], places[1], places[2], places[3]))
    simd.store(out, 16, simd.each_four_times(a[0], a[5], a[2], a[9]))
    simd.store(out, 32, simd.every_fourth(simd.load(a, 3)))


def test_four_by_four() -> None:
    a, out = np.arange(48, dtype=f4) ** 2, np.empty(48, f4)
    fours(a, np.array([30, 2, 7, 44]), out)
    np.testing.assert_array_equal(out[:16], a[[30, 31, 32, 33, 2, 3, 4, 5, 7, 8, 9, 10, 44, 45, 46, 47]])
    np.testing.assert_array_equal(out[16:32], np.repeat(a[[0, 5, 2, 9]], 4))
    np.testing.assert_array_equal(out[32:], np.repeat(a[[6, 10, 14, 18]], 4))


def test_vectors_do_not_mix_with_doubles():
    @compiled
    def wrong(a):
        return simd.bits(simd.load(a, 0) < 0.5)

    with pytest.raises(Exception, match="float64"):
        wrong(np.zeros(16, f4))
