"""Hidden states of Whisper's encoder (Radford et al. 2022), computed so that live and offline give the same numbers.

The encoder sees its whole input both ways. It is therefore run on blocks of the mel spectrogram that slide by `hop`
rows: each has `left` rows of past before and `right` rows of future after the rows that are kept, and its positional
embedding always starts at 0. That scheme is the definition of the features, offline too.
"""

from pathlib import Path

import numpy as np
import torch

from gaussiantalker.speech.encoder import SAMPLES_PER_ROW, Encoder
from gaussiantalker.speech.mel import BANDS, FLOOR, WINDOW, MelStream
from gaussiantalker.speech.whisper_net import WhisperNet

_BATCH = 16  # blocks in one pass: enough to keep the matrix products efficient, little enough to stay in the cache
_RANGE = 8.0  # Whisper keeps the eight decades below the loudest band


class WhisperStage:
    def __init__(self, encoder: "Whisper") -> None:
        self._encoder = encoder
        self._mel = MelStream()
        self._frames = np.full((2 * encoder.left, BANDS), FLOOR, np.float32)  # silence lies before the sound
        self.lookahead = SAMPLES_PER_ROW * (encoder.hop + encoder.right) + WINDOW // 2

    def push(self, samples: np.ndarray) -> np.ndarray:
        self._frames = np.concatenate([self._frames, self._mel.push(samples)])
        step, length = 2 * self._encoder.hop, 2 * self._encoder.block
        count = max(0, (len(self._frames) - length) // step + 1)
        starts = step * np.arange(count)[:, None]
        blocks = self._frames[starts + np.arange(length)]
        self._frames = self._frames[step * count :]
        batches = (self._encoder.encode(blocks[i : i + _BATCH]) for i in range(0, count, _BATCH))
        return np.concatenate([np.zeros((0, self._encoder.channels), np.float32), *batches])


class Whisper(Encoder):
    """Hidden layers of the encoder, side by side. Layer 2 of 4 carries the mouth best (docs: the probe's table)."""

    name = "whisper"

    def __init__(
        self, net: WhisperNet, *, layers: tuple[int, ...] = (2,), left: int = 24, hop: int = 4, right: int = 6
    ) -> None:
        """`left`, `hop` and `right` are in rows of 20 ms; `layers` counts from 0, the state before the first layer."""
        self._net = net
        self.layers, self.left, self.hop, self.right = layers, left, hop, right
        self.block = left + hop + right
        self.channels = len(layers) * net.positions.shape[1]

    @classmethod
    def read(cls, path: Path) -> "Whisper":
        """The encoder of a CTranslate2 `model.bin`."""
        return cls(WhisperNet.read(path))

    def stage(self) -> WhisperStage:
        return WhisperStage(self)

    def encode(self, blocks: np.ndarray) -> np.ndarray:
        """Log-mel blocks [B, 2 (left + hop + right), 80] to the rows they are for [B hop, channels]."""
        loudest = blocks.max(axis=(1, 2), keepdims=True)
        scaled = (np.maximum(blocks, loudest - _RANGE) + 4) / 4
        with torch.inference_mode():
            states = self._net.hidden(torch.from_numpy(scaled).transpose(1, 2).contiguous(), max(self.layers))
            kept = torch.cat([states[layer] for layer in self.layers], dim=-1)[:, self.left : self.left + self.hop]
        return kept.flatten(0, 1).numpy()
