"""From a video file to square pictures at 25 fps, the face in each, and the sound beside them."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np

from gaussiantalker.capture.cuts import clock, find_cuts, thumbnail
from gaussiantalker.capture.faces import find_faces, gaps
from gaussiantalker.capture.framing import Crop, Framing, choose_crop
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import audio, video
from gaussiantalker.media.files import read_json, write_json
from gaussiantalker.progress import Progress
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

FRAMING = "framing.part.json"
_MIN_SECONDS = 2
_LOOKS, _LEAST_APART = 60, FPS // 3  # and frames between two of them
_MIN_FOUND, _ENOUGH_SECONDS = 0.5, 30  # a face is needed in half the film, or for half a minute
_MOST_LINES = 2160  # larger films are made smaller while they are decoded
_BYTES_PER_PIXEL = 7.1  # picture, plate and label
_BROKEN_OFF = 1.0  # seconds, and
_BROKEN_SHARE = 0.02  # of the film, by which a whole file may be shorter than it says


def ingest(source: Path, folder: Path, size: int, progress: Progress) -> dict:
    """Writes frames.npy, landmarks.npy, faces.npz and, when there is sound, audio.wav. Returns facts about the source.

    Raises GaussianTalkerError for files that are no video, break off, are too short, or show no face most of the time.
    """
    info = video.probe(source)
    expected = max(int(info.duration * FPS), 1)
    if 0 < info.duration < _MIN_SECONDS:
        raise GaussianTalkerError(
            f"{source} lasts {info.duration:.1f} s; at least {_MIN_SECONDS} s are needed, better 180"
        )
    _refuse_full_disk(folder, expected * size**2 * _BYTES_PER_PIXEL)
    framing, frames, bridged = _framing(source, folder, expected, progress)
    crop = framing.crop
    _refuse_broken(source, info, frames)
    sound = _write_sound(source, folder, frames, bridged, progress) if info.has_audio else 0.0
    for sentence in bridged:
        progress.note(f"{source.name}: {sentence}")
    if crop.side < size:
        progress.note(f"the head and shoulders are {crop.side} pixels wide in {source.name} and are enlarged to {size}")
    progress.stage("landmarks", expected)

    def squares(first: int) -> Iterator[np.ndarray]:
        return (crop.of(frame) for frame in islice(video.read_frames(source, most_lines=_MOST_LINES), first, None))

    found = find_faces(folder, squares, crop.side, size, progress)
    _refuse_faceless(source, found)
    shrink = min(_MOST_LINES / min(info.width, info.height), 1)
    return {
        "frames": len(found),
        "sound": info.has_audio,
        "sound_seconds": sound,
        "bridged": bridged,
        "source_size": [round(info.width * shrink), round(info.height * shrink)],
        "source_fps": round(info.fps, 4),
        "crop": [crop.left, crop.top, crop.side],
        "other_people": framing.others,
        "cut": gaps(found),
    }


def _framing(source: Path, folder: Path, expected: int, progress: Progress) -> tuple[Framing, int, list[str]]:
    """Where the speaker is, how many pictures there are, and what was bridged or converted in them.

    It is looked for once: a run that was killed later on remembers it.
    """
    kept = read_json(folder / FRAMING) if (folder / FRAMING).exists() else {}
    if "frames" in kept:
        return Framing(Crop(**kept["crop"]), kept["others"]), kept["frames"], kept["bridged"]
    progress.stage("find the speaker", expected)
    changes: list[float] = []
    bridged: list[str] = []
    looks = _looks(source, max(expected // _LOOKS, _LEAST_APART), changes, bridged, progress)
    framing = choose_crop(looks, source, Landmarker(progress=progress))
    if framing.others:
        progress.note(f"{framing.others + 1} people are seen in {source.name}; the one largest and longest is followed")
    _refuse_cuts(source, find_cuts(np.array(changes)))
    write_json(folder / FRAMING, asdict(framing) | {"frames": len(changes) + 1, "bridged": bridged})
    return framing, len(changes) + 1, bridged


def _write_sound(source: Path, folder: Path, frames: int, bridged: list[str], progress: Progress) -> float:
    """audio.wav, exactly as long as the pictures. Returns how many seconds of sound the source has."""
    seconds = audio.copy_wav(source, folder / "audio.wav", frames * SAMPLES_PER_FRAME, bridged) / SAMPLE_RATE
    if abs(seconds - frames / FPS) > 0.5:
        change = "cut off" if seconds > frames / FPS else "continued in silence"
        lengths = f"lasts {seconds:.1f} s, the pictures {frames / FPS:.1f} s"
        progress.note(f"the sound of {source.name} {lengths}; it is {change}")
    return round(seconds, 2)


def _looks(
    source: Path, step: int, changes: list[float], bridged: list[str], progress: Progress
) -> Iterator[np.ndarray]:
    """Every `step`-th picture; how much each picture of the film differs from the one before goes into `changes`."""
    before = None
    for k, frame in enumerate(video.read_frames(source, most_lines=_MOST_LINES, told=bridged)):
        small = thumbnail(frame)
        if before is not None:
            changes.append(float(np.abs(small - before).mean()))
        before = small
        if k % step == 0:
            progress.update(k)
            yield frame


def _refuse_full_disk(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise GaussianTalkerError(
            f"the capture needs about {needed / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free; "
            "make room, choose another folder, or a smaller --size"
        )


def _refuse_cuts(source: Path, cuts: list[float]) -> None:
    if cuts:
        times = ", ".join(map(clock, cuts[:4])) + (", ..." if len(cuts) > 4 else "")
        raise GaussianTalkerError(
            f"{source} jumps to another picture at {times}; give one uncut shot, such as the longest between the cuts"
        )


def _refuse_broken(source: Path, info: video.VideoInfo, frames: int) -> None:
    seconds = frames / FPS
    # Only a file that counts its pictures knows how long they should last: others tell the length of the longest track.
    if info.frames and seconds < info.duration * (1 - _BROKEN_SHARE) - _BROKEN_OFF:
        raise GaussianTalkerError(
            f"{source} breaks off at {clock(seconds)} of {clock(info.duration)}; copy or export it again, "
            f"or cut it there to use the part before"
        )
    if seconds < _MIN_SECONDS:
        raise GaussianTalkerError(
            f"{source} has {seconds:.1f} s of pictures; at least {_MIN_SECONDS} s are needed, better 180"
        )


def _refuse_faceless(source: Path, found: np.ndarray) -> None:
    if found.mean() >= _MIN_FOUND or found.sum() >= _ENOUGH_SECONDS * FPS:
        return
    first, last = np.flatnonzero(found)[[0, -1]] / FPS if found.any() else (0.0, 0.0)
    raise GaussianTalkerError(
        f"a face is seen in only {found.mean():.0%} of {source}, from {clock(first)} to {clock(last)}; "
        f"cut it to the part with the speaker, at least {_MIN_SECONDS} s long"
    )
