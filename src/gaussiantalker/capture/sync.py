"""Brings sound and lips into step where it is sure by how much they are apart."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker.capture.lag import IN_STEP, lip_lag
from gaussiantalker.media import audio
from gaussiantalker.media.files import atomic_path, read_arrays
from gaussiantalker.progress import Progress
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

FILM_SOUND = "film.wav"  # as long as the pictures, and otherwise as it came
_WORTH = 1.0  # frames apart, below which nothing is done


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
        away = lag.frames - IN_STEP if lag is not None and lag.sure else 0.0
        shifts.append(round(away, 2) if abs(away) > _WORTH else 0.0)
        sound[part] = _later(sound[part], round(shifts[-1] * SAMPLES_PER_FRAME))
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


def _later(sound: np.ndarray, samples: int) -> np.ndarray:
    """Sound [S] that comes so many samples later, with silence where nothing is known."""
    out = np.zeros_like(sound)
    if abs(samples) < len(sound):
        out[max(samples, 0) : len(sound) + min(samples, 0)] = sound[max(-samples, 0) : len(sound) - max(samples, 0)]
    return out
