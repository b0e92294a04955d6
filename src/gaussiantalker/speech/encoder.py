"""What every encoder is: sound in, feature rows at 50 Hz out, the same whether the sound comes whole or in pieces."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from gaussiantalker.speech.samples import Resampler, in_pieces
from gaussiantalker.timing import SAMPLE_RATE, frame_count

ROWS_PER_FRAME = 2
SAMPLES_PER_ROW = 320  # 20 ms


class Stage(Protocol):
    """Turns 16 kHz samples that arrive in pieces into rows; row r describes the sound about sample 320 r."""

    lookahead: int  # samples: row r comes out, at the latest, once sample 320 r + lookahead is in

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The rows [k, channels] that these samples complete."""
        ...


class FeatureStream:
    """One run of sound through an encoder: `push` pieces of any size, then `finish`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._resampler = Resampler()
        self._samples = self._rows = 0

    def push(self, pcm: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
        """The rows [k, channels] whose look-ahead is there after these mono samples [S] (k may be 0).

        Raises GaussianTalkerError for samples that are not finite numbers, and when the rate changes on the way.
        """
        return self._advance(self._resampler.push(pcm, sample_rate))

    def finish(self) -> np.ndarray:
        """The remaining rows, as if silence followed: all in all two for every frame, a started frame included."""
        rows = [self._advance(self._resampler.finish())]
        missing = ROWS_PER_FRAME * frame_count(self._samples) - self._rows
        if missing > 0:
            end = SAMPLES_PER_ROW * (self._rows + missing) + self._stage.lookahead
            rows.append(self._stage.push(np.zeros(end - self._samples, np.float32))[:missing])
        return np.concatenate(rows)

    def _advance(self, samples: np.ndarray) -> np.ndarray:
        rows = self._stage.push(samples)
        self._samples += len(samples)
        self._rows += len(rows)
        return rows


class Encoder(ABC):
    """Base of the encoders. Row r belongs to frame r // 2; live it comes out at most `lookahead_ms` after its sound."""

    name: str
    channels: int

    @abstractmethod
    def stage(self) -> Stage:
        """What one run of sound passes through."""

    @property
    def lookahead_ms(self) -> float:
        return self.stage().lookahead * 1000 / SAMPLE_RATE

    def stream(self) -> FeatureStream:
        """A fresh run for live sound; its rows equal those of `features` for any division into pieces."""
        return FeatureStream(self.stage())

    def pieces(self, audio: np.ndarray) -> Iterator[np.ndarray]:
        """The rows of `features` a piece at a time, for sound so long that all its rows would fill the memory."""
        return in_pieces(self.stream(), audio)

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [2F, channels] of 16 kHz mono sound [S], F = timing.frame_count(S)."""
        return np.concatenate(list(self.pieces(audio)))
