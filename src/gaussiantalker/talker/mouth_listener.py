"""Listening by the mouth code: a person's frozen regression from speech to what the tracker would see of the mouth."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gaussiantalker import speech
from gaussiantalker.media.audio import delayed
from gaussiantalker.speech.encoder import ROWS_PER_FRAME
from gaussiantalker.talker.listener import Listener, RowStream
from gaussiantalker.talker.mouth_code import MouthCode
from gaussiantalker.talker.mouth_reader import PAST_ROWS, Curves, MouthReader, drawn_out, read_windows
from gaussiantalker.timing import SAMPLES_PER_FRAME, frame_count

LOOKAHEAD_MS = 140
LOOKAHEADS_MS = (80, LOOKAHEAD_MS)
ROW_MS = 20
_RELEASE, _REST = 0.5, 0.05  # of a code that is left a frame after the last speech; less than this is nothing


@dataclass(frozen=True)
class MouthListener(Listener):
    """Mouth codes [C] of a person: see `MouthCode` for what they mean."""

    silent_row: np.ndarray  # [channels of the encoder]
    code: MouthCode
    reader: MouthReader
    lips_late: int = 0  # samples by which the film's lips come after its sound: speaking, they are in step

    @property
    def channels(self) -> int:
        return len(self.code)

    @property
    def lookahead_ms(self) -> int:
        return ROW_MS * (self.reader.future_rows + 1)

    @property
    def last_row(self) -> int:
        return self.reader.future_rows

    @property
    def silence(self) -> np.ndarray:
        return np.zeros(self.channels, np.float32)

    def fading(self, heard: np.ndarray, cut: bool = False) -> np.ndarray:
        after = _RELEASE * heard
        return after if np.abs(after).max() > _REST else np.zeros_like(heard)

    def hear_film(self, audio: np.ndarray) -> np.ndarray:
        return self.hear(delayed(audio, self.lips_late))

    def drawn_out(self, gain: float) -> "MouthListener":
        """One whose codes are larger, as `mouth_reader.drawn_out` makes them."""
        curves = replace(self.reader.curves, shown=drawn_out(self.reader.curves.shown, gain))
        return replace(self, reader=replace(self.reader, curves=curves))

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "mouth": list(self.code.names), "lips_late": self.lips_late}

    def stream(self) -> "_CodeStream":
        return _CodeStream(self)

    def arrays(self) -> dict[str, np.ndarray]:
        reader = self.reader
        kept = {"silent_row": self.silent_row, "weights": reader.weights}
        kept |= {"heard": reader.curves.heard, "shown": reader.curves.shown}
        return kept | self.code.arrays()

    @classmethod
    def from_arrays(
        cls, encoder: speech.Encoder, arrays: dict[str, np.ndarray], facts: dict[str, Any]
    ) -> "MouthListener":
        """As `arrays` and `facts` gave it out."""
        code = MouthCode(tuple(facts["mouth"]), arrays["rest"], arrays["scale"], arrays["together"])
        curves = Curves(arrays["heard"], arrays["shown"])
        reader = MouthReader(arrays["weights"], curves, facts["lookahead_ms"] // ROW_MS - 1)
        return cls(encoder, arrays["silent_row"], code, reader, facts["lips_late"])


@dataclass(frozen=True)
class MouthTrack(MouthListener):
    """Codes that were given beforehand, whatever the sound; after the last of them the mouth is at rest."""

    codes: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))  # [N, C]

    def stream(self) -> "_TrackStream":
        return _TrackStream(self.codes)


class _TrackStream:
    """The given codes [N, C], one for each frame of a sound that arrives in pieces."""

    def __init__(self, codes: np.ndarray):
        self._codes, self._samples, self._given = codes, 0, 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Codes [k, C] of the frames that these 16 kHz samples [S] complete."""
        self._samples += len(samples)
        return self._until(self._samples // SAMPLES_PER_FRAME)

    def finish(self) -> np.ndarray:
        """The remaining codes: one for every started frame in all."""
        return self._until(frame_count(self._samples))

    def _until(self, frames: int) -> np.ndarray:
        codes = self._codes[self._given : frames]
        rest = frames - self._given - len(codes)
        self._given = frames
        return np.pad(codes, ((0, rest), (0, 0)))


class _CodeStream:
    """Codes [k, C] of one run of sound, as they come."""

    def __init__(self, listener: MouthListener):
        self._rows_of_sound, self._reader = RowStream(listener.encoder, listener.silent_row), listener.reader
        self._rows = np.zeros((PAST_ROWS, len(listener.silent_row)), np.float32)  # silence is before the sound

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Codes of the frames that these 16 kHz samples [S] complete."""
        return self._advance(self._rows_of_sound.push(samples))

    def finish(self) -> np.ndarray:
        """The remaining codes: one for every started frame in all."""
        beyond = self._reader.future_rows + 1 - ROWS_PER_FRAME
        return self._advance(np.pad(self._rows_of_sound.finish(), ((0, beyond), (0, 0))))

    def _advance(self, rows: np.ndarray) -> np.ndarray:
        self._rows = np.concatenate([self._rows, rows])
        codes = self._reader(read_windows(self._rows, self._reader.future_rows))
        self._rows = self._rows[ROWS_PER_FRAME * len(codes) :]
        return codes
