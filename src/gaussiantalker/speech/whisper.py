"""Hidden states of Whisper's encoder (Radford et al. 2022), in sliding blocks of the mel spectrogram."""

from collections.abc import Callable

import numpy as np

from gaussiantalker.speech.blocks import BlockEncoder, Blocks, BlockStage
from gaussiantalker.speech.mel import BANDS, FLOOR, WINDOW, MelStream
from gaussiantalker.speech.whisper_kernel import encoded, packed
from gaussiantalker.speech.whisper_net import WhisperNet

_DEFAULT_BLOCKS = Blocks(left=24, hop=4, right=6)
_RANGE = 8.0  # Whisper keeps the eight decades below the loudest band


class Whisper(BlockEncoder):
    """Hidden layers of the encoder, side by side. Layer 2 of 4 carries the mouth best, and a person's mouth reader is
    fitted on 1 and 2 (docs/speech.md)."""

    items_per_row = 2
    before = np.full(BANDS, FLOOR, np.float32)

    def __init__(
        self,
        net: WhisperNet,
        *,
        name: str = "whisper",
        layers: tuple[int, ...] = (2,),
        blocks: Blocks = _DEFAULT_BLOCKS,
    ) -> None:
        """`layers` counts from 0, the state before the first layer."""
        self.net, self.name = net, name
        self.layers, self.blocks = layers, blocks
        self.channels = len(layers) * net.positions.shape[1]
        del net.layers[max(layers) :]  # is never heard
        self._packed = packed(net, max(layers), blocks.rows)
        net.half()  # as they are published: what hears has its own

    def front(self) -> Callable[[np.ndarray], np.ndarray]:
        return MelStream().push

    def stage(self) -> BlockStage:
        return BlockStage(self, samples_more=WINDOW // 2)

    def encode(self, blocks: np.ndarray) -> np.ndarray:
        """Log-mel blocks [B, 2 rows, 80] to the rows they are for [B, hop, channels]."""
        loudest = blocks.max(axis=(1, 2), keepdims=True)
        scaled = (np.maximum(blocks, loudest - _RANGE) + 4) / 4
        return encoded(scaled, self._packed, self.layers, self.blocks.left, self.blocks.hop)
