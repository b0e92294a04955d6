"""Which frames hold speech and which are true silence, in which a mouth should be shut.

An energy gate on two bands: voice, and the hiss of s and f. A band speaks when it stands out from the noise floor, the
lowest levels of the last seconds (minimum statistics: Martin 2001), and is not lost under the loudest speech heard
lately, as breath and reverberation are. The gate opens early and closes late: the look-ahead keeps onsets, the hold
keeps the closures of stop consonants.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from gaussiantalker.speech.mel import BANDS, HOP, MelStream, band_power
from gaussiantalker.speech.samples import checked, in_pieces
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME, frame_count

BANDS_HZ = ((100, 2_500), (2_500, 7_500))


@dataclass(frozen=True)
class _Rules:
    """What the gate goes by, in decibels and frames."""

    open: float = 9.0  # above the floor that opens the gate,
    stay: float = 6.0  # and that keeps it open
    reach: float = 38.0  # below the loudest speech that is still speech
    forget: float = 2.0  # a second by which the loudest speech is forgotten
    quietest: float = -58.0  # of full scale: softer sound is silence on any floor
    first_floor: float = -50.0  # until the room is known its floor is taken to be no louder than this,
    first_reach: float = 30.0  # or than this much below the loudest speech
    dropouts: int = 3  # the floor is this lowest level of the last seconds: a click of nothing must not pull it down
    memory: int = 3 * FPS  # frames that the floor is taken from: longer than speech goes without a dip
    early: int = 2  # frames by which it opens before the sound,
    hold: int = 3  # by which it closes after it,
    shortest: int = 3  # and that a silence lasts at least


RULES = _Rules()
_MEL_FRAMES = SAMPLES_PER_FRAME // HOP


class Gate:
    """The gate on sound that arrives in pieces; a frame's mark comes `lookahead_frames` frames after it."""

    lookahead_frames = RULES.early + RULES.shortest

    def __init__(self) -> None:
        self._mel = MelStream()
        self._spectra = np.zeros((0, BANDS), np.float32)
        self._levels: deque[np.ndarray] = deque(maxlen=RULES.memory)
        self._loudest = np.full(len(BANDS_HZ), RULES.quietest)
        self._ahead: deque[bool] = deque(maxlen=RULES.early + RULES.shortest)
        self._open, self._silent, self._since = False, False, RULES.hold
        self._samples = self._given = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Marks, bool [k], of the frames that 16 kHz samples [S] complete."""
        samples = checked(samples)
        self._samples += len(samples)
        return self._advance(samples)

    def finish(self) -> np.ndarray:
        """The remaining marks: in all one for each started frame, as if silence followed."""
        missing = frame_count(self._samples) - self._given
        return self._advance(np.zeros((missing + self.lookahead_frames + 1) * SAMPLES_PER_FRAME, np.float32))[:missing]

    def _advance(self, samples: np.ndarray) -> np.ndarray:
        spectra = np.concatenate([self._spectra, self._mel.push(samples)])
        frames = len(spectra) // _MEL_FRAMES
        self._spectra = spectra[frames * _MEL_FRAMES :]
        power = np.stack([band_power(spectra[: frames * _MEL_FRAMES], *band) for band in BANDS_HZ], axis=-1)
        marks = [
            self._mark(level) for level in 10 * np.log10(power.reshape(frames, _MEL_FRAMES, 2).mean(axis=1) + 1e-12)
        ]
        given = np.array([mark for mark in marks if mark is not None], bool)
        self._given += len(given)
        return given

    def _mark(self, level: np.ndarray) -> bool | None:
        """Takes the next frame's levels [2]; returns the mark of the frame four before it, once there is one."""
        self._loudest = np.maximum(level, self._loudest - RULES.forget / FPS)
        self._levels.append(level)
        floor = np.sort(self._levels, axis=0)[: RULES.dropouts][-1]
        if len(self._levels) < RULES.memory:
            floor = np.minimum(floor, np.maximum(RULES.first_floor, self._loudest - RULES.first_reach))
        quietest = np.maximum(self._loudest - RULES.reach, RULES.quietest)
        margin = RULES.stay if self._open else RULES.open
        self._open = bool(np.any((level > floor + margin) & (level > quietest)))
        self._ahead.append(self._open)
        if len(self._ahead) < (self._ahead.maxlen or 0):
            return None
        self._since = 0 if self._ahead[0] else self._since + 1
        coming = list(self._ahead)[: RULES.early + 1] if self._silent else self._ahead
        self._silent = self._since > RULES.hold and not any(coming)
        return not self._silent


def voiced(audio: np.ndarray) -> np.ndarray:
    """bool [F]: True where 16 kHz sound [S] holds speech (or any sound that stands out), False in silence."""
    return np.concatenate([*in_pieces(Gate(), audio)])
