"""An invisible mark in every picture: a faint pattern in its brightness that says who made it.

Spread spectrum (Cox et al., IEEE Transactions on Image Processing 1997) with a tile that repeats over the picture, so
that `detection` finds it again at any place and size: one sequence says where the tile begins, five more carry ten bits
each by how far they are shifted against it. The fifth of these numbers is the sum of the others (without carries) and
of this tool's own, so that a wrong one contradicts all. The pattern is the same in all pictures of an avatar, which is
what video codecs keep best.
"""

import hashlib
from functools import cache, reduce
from operator import xor

import numpy as np
from scipy.ndimage import uniform_filter

CHIP, SIDE = 4, 32  # pixels of a chip, chips of a tile
SYMBOLS, SYMBOL_BITS = 5, 10  # sequences that carry bits: a shift among 32 x 32
PAYLOAD_BITS = (SYMBOLS - 1) * SYMBOL_BITS
TOOL = 0x47 << 2  # to which the numbers of all five come, added without carries
STRENGTH = 1.38  # deviation of the pattern in grey levels: 45.3 dB
SYNC_SHARE = 1.5  # of the sequence that says where the tile begins, against one that carries bits


def payload_of(digest: bytes) -> int:
    """The 40 bits that stand for an avatar, of its hash."""
    return int.from_bytes(digest[: PAYLOAD_BITS // 8], "big")


@cache
def pattern(payload: int) -> np.ndarray:
    """The tile int8 [128, 128] that is added to each colour of a picture marked with these 40 bits."""
    shifts = [payload >> SYMBOL_BITS * (SYMBOLS - 2 - k) & (1 << SYMBOL_BITS) - 1 for k in range(SYMBOLS - 1)]
    chips = SYNC_SHARE * sequences()[0]
    for number, shift in enumerate([*shifts, reduce(xor, shifts, TOOL)]):
        chips = chips + np.roll(sequences()[1 + number], divmod(shift, SIDE), (0, 1))
    tile = smooth(chips, CHIP)
    return np.round(STRENGTH * tile / tile.std()).astype(np.int8)


@cache
def sequences() -> np.ndarray:
    """Six sequences of -1 and 1, [6, 32, 32], the same for ever."""
    seeds = (
        hashlib.sha256(f"GaussianTalker watermark {n}".encode()).digest()
        for n in range((1 + SYMBOLS) * SIDE * SIDE // 256)
    )
    bits = np.unpackbits(np.frombuffer(b"".join(seeds), np.uint8))
    return 2.0 * bits.reshape(1 + SYMBOLS, SIDE, SIDE) - 1


def smooth(chips: np.ndarray, times: int) -> np.ndarray:
    """Chips [S, S] as a periodic picture [times * S, times * S] without edges between them."""
    wide = np.kron(chips, np.ones((times, times)))
    return uniform_filter(wide, times, mode="wrap")


class Watermark:
    """Marks pictures of one size with 40 bits."""

    def __init__(self, payload: int, height: int, width: int):
        tile = pattern(payload)
        rows, columns = np.arange(height) % len(tile), np.arange(width) % len(tile)
        whole = np.repeat(tile[np.ix_(rows, columns)][..., None], 3, axis=-1)
        self._up, self._down = (np.maximum(sign * whole, 0).astype(np.uint8) for sign in (1, -1))

    def mark(self, picture: np.ndarray) -> np.ndarray:
        """The picture uint8 [H, W, 3], marked in its place."""
        np.minimum(picture, 255 - self._up, out=picture)
        np.add(picture, self._up, out=picture)
        np.maximum(picture, self._down, out=picture)
        return np.subtract(picture, self._down, out=picture)
