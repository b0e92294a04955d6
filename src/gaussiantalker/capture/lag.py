"""Whether the sound belongs to the lips: by how many frames it comes before or after them."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gaussiantalker.speech.mel import BANDS, HOP, WINDOW, log_mel
from gaussiantalker.timing import SAMPLES_PER_FRAME

_MOST = 12  # frames to either side that are tried
_SLOW = 25  # frames: what changes more slowly than this is posture or loudness of the room, not speech
_TOGETHER = 1500  # frames whose sound is looked at in one go, so that an hour of it is not copied
_QUIETEST = 20  # percentile of the mel spectrum below which there is only noise


@dataclass(frozen=True)
class Lag:
    """How sound and lips lie in time."""

    frames: float  # by which the sound leads the lips; negative where the lips lead
    agreement: float  # correlation of the two where they agree best


def lip_lag(lip_opening: np.ndarray, sound: np.ndarray) -> Lag | None:
    """From lips [N] per frame and 16 kHz sound [640 N]; None where a clip is too short or nothing changes in it.

    Compared are the opening of the lips and the mean log-mel energy, which vowels raise, both without what is slow.
    Clips known to be in step give -0.9 to -0.2 frames: lips open a little before they are heard.
    """
    count = len(lip_opening)
    energy = _energy(sound, count)
    lips, energy = (values - ndimage.gaussian_filter1d(values, _SLOW) for values in (lip_opening.astype(float), energy))
    if count < 4 * _MOST or lips.std() < 1e-6 or energy.std() < 1e-6:
        return None
    shifts = np.arange(-_MOST, _MOST + 1)
    pairs = ((lips[max(k, 0) : count + min(k, 0)], energy[max(-k, 0) : count - max(k, 0)]) for k in shifts)
    curve = np.array([_correlation(*pair) for pair in pairs])
    best = int(curve.argmax())
    bend = 0.0
    if 0 < best < len(curve) - 1:
        before, here, after = curve[best - 1 : best + 2]
        bend = (before - after) / (2 * min(before - 2 * here + after, -1e-9))
    return Lag(float(shifts[best] + bend), float(curve[best]))


def _energy(sound: np.ndarray, count: int) -> np.ndarray:  # [count]
    """Mean log-mel energy of each frame, above the noise."""
    margin = (WINDOW - HOP) // 2
    spectrum = np.empty((count, SAMPLES_PER_FRAME // HOP, BANDS), np.float32)
    for first in range(0, count, _TOGETHER):
        part = spectrum[first : first + _TOGETHER]
        start, stop = first * SAMPLES_PER_FRAME - margin, (first + len(part)) * SAMPLES_PER_FRAME + margin
        piece = sound[max(start, 0) : stop]
        before = max(-start, 0)
        part[:] = log_mel(np.pad(piece, (before, stop - start - before - len(piece)))).reshape(part.shape)
    np.maximum(spectrum, np.percentile(spectrum, _QUIETEST), out=spectrum)
    return spectrum.mean((1, 2)).astype(float)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / max(a.std() * b.std(), 1e-9))
