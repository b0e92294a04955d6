"""The talker's ear: sound to the few channels it was trained on, silence being zero."""

from dataclasses import dataclass

import numpy as np

from gaussiantalker import speech
from gaussiantalker.speech.encoder import ROWS_PER_FRAME
from gaussiantalker.speech.projection import fit
from gaussiantalker.speech.windows import PAPERS_LOOKAHEAD_MS
from gaussiantalker.timing import SAMPLE_RATE


@dataclass(frozen=True)
class Listener:
    """An encoder, the projection fitted on the training clip, and what silence becomes under it.

    Rows are counted from silence, and rows in frames that hold no speech are set to it, in training and in speaking
    alike. So room noise the encoder never met cannot make the mouth mumble, and the zeros that the papers put before
    and after the sound are silence too.
    """

    encoder: speech.Encoder
    projection: speech.Projection
    silence: np.ndarray  # [channels]
    lookahead_ms: int = PAPERS_LOOKAHEAD_MS  # of contexts, from the beginning of a frame; the encoder's comes on top

    @property
    def channels(self) -> int:
        return len(self.silence)

    @classmethod
    def fit(
        cls,
        encoder: speech.Encoder,
        audio: np.ndarray,
        channels: int = 32,
        lookahead_ms: int = PAPERS_LOOKAHEAD_MS,
    ) -> "Listener":
        """A listener for one speaker, from the 16 kHz sound [S] of the training frames."""
        projection = fit(encoder.features(audio), min(channels, encoder.channels))
        quiet = encoder.features(np.zeros(2 * SAMPLE_RATE, np.float32))
        return cls(encoder, projection, projection.apply(quiet[len(quiet) // 2]), lookahead_ms)

    def rows(self, audio: np.ndarray) -> np.ndarray:
        """float32 [2F, channels] of 16 kHz sound [S]."""
        stream = self.stream()
        return np.concatenate([stream.push(audio), stream.finish()])

    def contexts(self, audio: np.ndarray) -> np.ndarray:
        """[F, 8, 16, channels] of 16 kHz sound [S], a read-only view (see `speech.contexts_of`)."""
        return speech.contexts_of(self.rows(audio), self.lookahead_ms)

    def stream(self) -> "ListenerStream":
        return ListenerStream(self)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file must hold for `from_arrays`, beside the encoder's name."""
        projection = self.projection
        return {"mean": projection.mean, "basis": projection.basis, "scale": projection.scale, "silence": self.silence}

    @classmethod
    def from_arrays(cls, encoder: speech.Encoder, arrays: dict[str, np.ndarray], lookahead_ms: int) -> "Listener":
        projection = speech.Projection(arrays["mean"], arrays["basis"], arrays["scale"])
        return cls(encoder, projection, arrays["silence"], lookahead_ms)


class ListenerStream:
    """Rows of sound that arrives in pieces: `push` any size, then `finish`. The same rows for any division."""

    def __init__(self, listener: Listener):
        self._listener = listener
        self._features, self._gate = listener.encoder.stream(), speech.Gate()
        self._rows = np.zeros((0, listener.channels), np.float32)
        self._marks = np.zeros(0, bool)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The rows [k, channels] whose look-ahead is complete after these 16 kHz samples [S]."""
        return self._join(self._features.push(samples), self._gate.push(samples))

    def finish(self) -> np.ndarray:
        """The remaining rows: two for every started frame in all."""
        return self._join(self._features.finish(), self._gate.finish())

    def _join(self, features: np.ndarray, marks: np.ndarray) -> np.ndarray:
        self._rows = np.concatenate([self._rows, self._listener.projection.apply(features)])
        self._marks = np.concatenate([self._marks, np.repeat(marks, ROWS_PER_FRAME)])
        ready = min(len(self._rows), len(self._marks))
        rows = np.where(self._marks[:ready, None], self._rows[:ready] - self._listener.silence, np.float32(0))
        self._rows, self._marks = self._rows[ready:], self._marks[ready:]
        return rows
