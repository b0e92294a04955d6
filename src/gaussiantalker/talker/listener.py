"""The talker's ear: sound to what is heard in each frame, silence being zero."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gaussiantalker import speech
from gaussiantalker.speech.encoder import ROWS_PER_FRAME, SAMPLES_PER_ROW
from gaussiantalker.speech.samples import in_pieces
from gaussiantalker.timing import SAMPLE_RATE, SAMPLES_PER_FRAME


class Hearing(Protocol):
    """One run of sound: what is heard in its frames, as they come; the same however the sound is divided."""

    def push(self, samples: np.ndarray) -> np.ndarray:
        """What is heard [k, ...] in the frames that these 16 kHz samples [S] complete."""
        ...

    def finish(self) -> np.ndarray:
        """The remaining frames: in all one for every started 40 ms."""
        ...


@dataclass(frozen=True)
class Listener(ABC):
    """An encoder, and what is made of its rows for one person: in every frame an array [...], zero in silence.

    Rows are counted from silence, and rows in frames that hold no speech are set to it, in training and in speaking
    alike. So room noise the encoder never met cannot make the mouth mumble, and the zeros before and after the sound
    are silence too.
    """

    encoder: speech.Encoder

    @property
    @abstractmethod
    def channels(self) -> int:
        """Numbers in the last axis of what is heard."""

    @property
    @abstractmethod
    def lookahead_ms(self) -> int:
        """How far beyond the beginning of a frame sound tells on it; the encoder's own look-ahead comes on top."""

    @property
    @abstractmethod
    def last_row(self) -> int:
        """The last row that tells on frame 0, at least the frame's own second."""

    @property
    @abstractmethod
    def silence(self) -> np.ndarray:
        """What is heard [...] in a frame with no speech near it: zeros."""

    @abstractmethod
    def fading(self, heard: np.ndarray, cut: bool = False) -> np.ndarray:
        """What is heard one frame after this [...] when no speech follows: a mouth that comes to rest.

        After a `cut` what was still to be said is forgotten as well.
        """

    @abstractmethod
    def stream(self) -> Hearing:
        """A fresh run of live sound."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """What a file must hold of it, beside the encoder's name."""

    def hear_film(self, audio: np.ndarray) -> np.ndarray:
        """What is heard [F, ...] in the frames of the film it was fitted on, from the film's sound [S]."""
        return self.hear(audio)

    def facts(self) -> dict[str, Any]:
        """What avatar.json says of it."""
        return {"encoder": self.encoder.name, "channels": self.channels, "lookahead_ms": self.lookahead_ms}

    @property
    def lookahead(self) -> int:
        """Samples after the beginning of a frame by which it is heard: the frame's own 640 and all that follow.

        The last row waits for its encoder, or for the gate if that is later.
        """
        encoder = SAMPLES_PER_ROW * self.last_row + round(self.encoder.lookahead_ms * SAMPLE_RATE / 1000)
        gate = SAMPLES_PER_FRAME * (self.last_row // ROWS_PER_FRAME + 1 + speech.Gate.lookahead_frames)
        return max(encoder, gate)

    def hear(self, audio: np.ndarray) -> np.ndarray:
        """What is heard [F, ...] in 16 kHz sound [S]."""
        return run(self.stream(), audio)


def run(stream: Hearing, audio: np.ndarray) -> np.ndarray:
    """All that a fresh stream makes of whole sound [S], heard in pieces."""
    return np.concatenate([*in_pieces(stream, audio)])


def silent_row(encoder: speech.Encoder) -> np.ndarray:
    """What the encoder makes of silence, [channels]."""
    quiet = encoder.features(np.zeros(2 * SAMPLE_RATE, np.float32))
    return quiet[len(quiet) // 2]


class RowStream:
    """Rows of sound that arrives in pieces, counted from silence and zero in frames that hold no speech: `push` any
    size, then `finish`. The same rows for any division.

    `silence` [channels] is what silence becomes, `project` what is made of the encoder's rows before it is taken off.
    """

    def __init__(
        self,
        encoder: speech.Encoder,
        silence: np.ndarray,
        project: Callable[[np.ndarray], np.ndarray] = np.asarray,
    ):
        self._silence, self._project = silence, project
        self._features, self._gate = encoder.stream(), speech.Gate()
        self._rows = np.zeros((0, len(silence)), np.float32)
        self._marks = np.zeros(0, bool)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The rows [k, channels] whose look-ahead is complete after these 16 kHz samples [S]."""
        return self._join(self._features.push(samples), self._gate.push(samples))

    def finish(self) -> np.ndarray:
        """The remaining rows: two for every started frame in all."""
        return self._join(self._features.finish(), self._gate.finish())

    def _join(self, rows: np.ndarray, marks: np.ndarray) -> np.ndarray:
        self._rows = np.concatenate([self._rows, self._project(rows)])
        self._marks = np.concatenate([self._marks, np.repeat(marks, ROWS_PER_FRAME)])
        ready = min(len(self._rows), len(self._marks))
        spoken = np.where(self._marks[:ready, None], self._rows[:ready] - self._silence, np.float32(0))
        self._rows, self._marks = self._rows[ready:], self._marks[ready:]
        return spoken
