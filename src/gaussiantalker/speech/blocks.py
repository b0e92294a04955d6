"""How an encoder that sees both ways gives the same rows live and offline.

It is run on blocks of its input that slide by `hop` rows; each holds `left` rows of past before and `right` rows of
future after the rows that are kept. Every block has the same length, so a positional embedding always starts at 0 and
rows are stationary up to the hop. That scheme is the definition of the features, offline too.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaussiantalker.speech.encoder import SAMPLES_PER_ROW, Encoder

_BATCH = 16  # blocks in one pass: enough to keep matrix products efficient, little enough to stay in the cache


@dataclass(frozen=True)
class Blocks:
    """The scheme, in rows of 20 ms."""

    left: int
    hop: int
    right: int

    @property
    def rows(self) -> int:
        return self.left + self.hop + self.right


class BlockEncoder(Encoder):
    """An encoder run on blocks of 16 kHz samples, or of what `front` makes of them."""

    blocks: Blocks
    items_per_row = SAMPLES_PER_ROW
    more_items = 0  # that a block holds beyond its rows, where a row's window is longer than its step
    before: np.ndarray | float = 0.0  # the item that stands for the silence before the sound

    def front(self) -> Callable[[np.ndarray], np.ndarray]:
        """A fresh function from samples as they arrive to the items they complete; samples themselves by default."""
        return lambda samples: samples

    @abstractmethod
    def encode(self, blocks: np.ndarray) -> np.ndarray:
        """Blocks [B, items, ...] to the rows they are for [B, hop, channels]."""

    def stage(self) -> "BlockStage":
        return BlockStage(self, samples_more=self.more_items)


class BlockStage:
    """Slides over the sound. `samples_more` are needed after the last row of a block."""

    def __init__(self, encoder: BlockEncoder, samples_more: int) -> None:
        blocks = encoder.blocks
        self.lookahead = SAMPLES_PER_ROW * (blocks.hop + blocks.right) + samples_more
        self._encoder, self._front = encoder, encoder.front()
        self._step = encoder.items_per_row * blocks.hop
        self._length = encoder.items_per_row * blocks.rows + encoder.more_items
        before = np.asarray(encoder.before, np.float32)
        self._items = np.repeat(before[None], encoder.items_per_row * blocks.left, axis=0)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The rows [k, channels] of the blocks that these samples complete."""
        self._items = np.concatenate([self._items, self._front(samples)])
        count = max(0, (len(self._items) - self._length) // self._step + 1)
        starts = self._step * np.arange(count)[:, None]
        blocks = self._items[starts + np.arange(self._length)]
        self._items = self._items[self._step * count :]
        rows = [self._encoder.encode(blocks[i : i + _BATCH]) for i in range(0, count, _BATCH)]
        nothing = np.zeros((0, self._encoder.channels), np.float32)
        return np.concatenate([nothing, *(batch.reshape(-1, self._encoder.channels) for batch in rows)])
