"""Whether sound and lips are in step, and bringing them into step where it is sure by how much they are apart."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from gaussiantalker.media import audio
from gaussiantalker.media.files import atomic_path, read_arrays
from gaussiantalker.progress import Progress
from gaussiantalker.speech.mel import BANDS, HOP, WINDOW, log_mel
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

FILM_SOUND = "film.wav"  # as long as the pictures, and otherwise as it came
_WORTH = 1.0  # frames apart, below which nothing is done
_IN_STEP = -0.5  # frames: where clips lie whose sound and lips are in step
_MOST = 25  # frames to either side that are tried
_SLOW = 25  # frames: what changes more slowly than this is posture or loudness of the room, not speech
_TOGETHER = 1500  # frames whose sound is looked at in one go, so that an hour of it is not copied
_PIECES = 8  # into which a clip is cut to see whether all of it says the same
_ALIKE = 1.0  # frames by which the answer may change when one of them is left out
_LEAST_AGREEMENT = 0.3
_CLEARER = 0.08  # correlation by which the best shift must beat those that are not beside it
_BESIDE = 4  # frames
_LEAST_SURE = 3.5  # standard deviations of the correlation of what has nothing to do with each other
_FRAMES_TOGETHER = 4  # frames that say about the same
_QUIETEST = 20  # percentile of the mel spectrum below which there is only noise


@dataclass(frozen=True)
class Lag:
    """How sound and lips lie in time."""

    frames: float  # by which the sound leads the lips; negative where the lips lead
    agreement: float  # correlation of the two where they agree best
    sure: bool  # whether every part of the clip says so, and clearly


def lip_lag(lip_opening: np.ndarray, sound: np.ndarray) -> Lag | None:
    """From lips [N] per frame and 16 kHz sound [640 N]; None where a clip is too short or nothing changes in it.

    Compared are the opening of the lips and the mean log-mel energy, which vowels raise, both without what is slow.
    Clips known to be in step give -0.9 to -0.2 frames: lips open a little before they are heard.
    """
    count = len(lip_opening)
    most = min(_MOST, count // 8)
    energy = _energy(sound, count)
    lips, energy = (values - ndimage.gaussian_filter1d(values, _SLOW) for values in (lip_opening.astype(float), energy))
    if count < 48 or lips.std() < 1e-6 or energy.std() < 1e-6:
        return None
    curves = _products(lips / lips.std(), energy / energy.std(), most)
    curve = curves.mean(0)
    best = _peak(curve)
    without = [_peak((curves.sum(0) - one) / (_PIECES - 1)) for one in curves]
    apart = np.abs(np.arange(len(curve)) - best) > _BESIDE
    agreement = float(curve[round(best)])
    sure = (
        max(abs(other - best) for other in without) <= _ALIKE
        and agreement > max(_LEAST_AGREEMENT, float(curve[apart].max()) + _CLEARER)
        and agreement * np.sqrt(count / _FRAMES_TOGETHER) > _LEAST_SURE
    )
    return Lag(best - most, agreement, bool(sure))


def _products(lips: np.ndarray, energy: np.ndarray, most: int) -> np.ndarray:  # [pieces, 2 most + 1]
    """Mean product of lips and energy in each piece of a clip, for every shift of the sound against the lips."""
    count = len(lips)
    padded = np.pad(energy, most)
    shifted = np.stack([lips * padded[most - k : most - k + count] for k in range(-most, most + 1)])
    return np.stack([part.mean(1) for part in np.array_split(shifted, _PIECES, axis=1)])


def _peak(curve: np.ndarray) -> float:
    """Where a curve is highest, between its points."""
    best = int(curve.argmax())
    if not 0 < best < len(curve) - 1:
        return float(best)
    before, here, after = curve[best - 1 : best + 2]
    return best + float((before - after) / (2 * min(before - 2 * here + after, -1e-9)))


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


def synchronise(folder: Path, films: list[list[int]], keep: bool, progress: Progress) -> dict[str, Any]:
    """Writes audio.wav from film.wav, of which the part of each of `films` (first and one past the last frame) is
    shifted by itself; `keep` leaves all of it as it is. Returns by how many frames each was shifted."""
    if not (folder / FILM_SOUND).exists():
        return {"shifted_frames": [0.0] * len(films)}
    progress.stage("sound and lips", len(films))
    lips = read_arrays(folder / "tracking.npz", "lip_opening")["lip_opening"]
    sound, shifts = audio.read_audio(folder / FILM_SOUND), []
    for start, stop in films:
        part = slice(start * SAMPLES_PER_FRAME, stop * SAMPLES_PER_FRAME)
        lag = None if keep else lip_lag(lips[start:stop], sound[part])
        away = lag.frames - _IN_STEP if lag is not None and lag.sure else 0.0
        shifts.append(round(away, 2) if abs(away) > _WORTH else 0.0)
        sound[part] = audio.delayed(sound[part], round(shifts[-1] * SAMPLES_PER_FRAME))
        progress.update(len(shifts))
    if any(shifts):
        audio.write_wav(folder / "audio.wav", sound)
        milliseconds = ", ".join(f"{abs(shift) * 1000 / FPS:.0f} ms" for shift in shifts if shift)
        leader = "sound led the lips" if max(shifts, key=abs) > 0 else "lips led the sound"
        progress.note(f"the {leader} by {milliseconds}; the sound was shifted (--sync keep leaves it)")
    else:
        with atomic_path(folder / "audio.wav") as temporary:
            shutil.copyfile(folder / FILM_SOUND, temporary)
    return {"shifted_frames": shifts}
