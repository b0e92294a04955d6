"""From a video file to square pictures at 25 fps, the face in each, and the sound beside them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gaussiantalker.capture.arrays import ArrayWriter
from gaussiantalker.capture.cuts import find_cuts, thumbnail
from gaussiantalker.capture.framing import Crop, choose_crop
from gaussiantalker.capture.landmarker import POINTS, Landmarker
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import audio, image, video
from gaussiantalker.progress import Progress
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

_MIN_SECONDS = 2
_LOOKS = 60
_MIN_FOUND = 0.5
_BYTES_PER_PIXEL = 7.1  # picture, plate and label


def ingest(source: Path, folder: Path, size: int, progress: Progress) -> dict:
    """Writes frames.npy, landmarks.npy, faces.npz and, when there is sound, audio.wav. Returns facts about the source.

    Raises GaussianTalkerError for files that are no video, too short, or show no face most of the time.
    """
    info = video.probe(source)
    expected = max(int(info.duration * FPS), 1)
    if 0 < info.duration < _MIN_SECONDS:
        raise GaussianTalkerError(
            f"{source} lasts {info.duration:.1f} s; at least {_MIN_SECONDS} s are needed, better 180"
        )
    _refuse_full_disk(folder, expected * size**2 * _BYTES_PER_PIXEL)
    progress.stage("find the speaker", expected)
    changes: list[float] = []
    looks = _looks(source, max(expected // _LOOKS, 1), changes, progress)
    framing = choose_crop(looks, source, Landmarker(progress=progress))
    crop = framing.crop
    if framing.others:
        progress.note(f"{framing.others + 1} people are seen in {source.name}; the one largest and longest is followed")
    _refuse_cuts(source, find_cuts(np.array(changes)))
    if crop.side < size:
        progress.note(f"the head and shoulders are {crop.side} pixels wide in {source.name} and are enlarged to {size}")
    frames, found = _write_frames(source, folder, crop, size, expected, progress)
    if frames < _MIN_SECONDS * FPS:
        raise GaussianTalkerError(
            f"{source} has {frames / FPS:.1f} s of pictures; at least {_MIN_SECONDS} s are needed"
        )
    if found < _MIN_FOUND:
        raise GaussianTalkerError(
            f"a face is seen in only {found:.0%} of {source}; cut it to the part with the speaker"
        )
    if info.has_audio:
        samples = audio.read_audio(source)[: frames * SAMPLES_PER_FRAME]
        audio.write_wav(folder / "audio.wav", np.pad(samples, (0, frames * SAMPLES_PER_FRAME - len(samples))))
    else:
        progress.note(f"{source.name} has no sound; a head can be learned from it, but not how it speaks")
    return {
        "frames": frames,
        "sound": info.has_audio,
        "source_size": [info.width, info.height],
        "source_fps": round(info.fps, 4),
        "crop": [crop.left, crop.top, crop.side],
        "other_people": framing.others,
    }


def _looks(source: Path, step: int, changes: list[float], progress: Progress) -> Iterator[np.ndarray]:
    """Every `step`-th picture; how much each picture of the film differs from the one before goes into `changes`."""
    before = None
    for k, frame in enumerate(video.read_frames(source)):
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
        times = ", ".join(f"{int(t // 60)}:{t % 60:05.2f}" for t in cuts[:4]) + (", ..." if len(cuts) > 4 else "")
        raise GaussianTalkerError(
            f"{source} jumps to another picture at {times}; give one uncut shot, such as the longest between the cuts"
        )


def _write_frames(
    source: Path, folder: Path, crop: Crop, size: int, expected: int, progress: Progress
) -> tuple[int, float]:
    """Pictures and landmarks in one pass, so that landmarks come from the source's own resolution."""
    progress.stage("landmarks", expected)
    landmarker = Landmarker(track=True)
    scores, found = [], []
    with (
        ArrayWriter(folder / "frames.npy", (size, size, 3)) as writer,
        ArrayWriter(folder / "landmarks.npy", (POINTS, 2), np.float32) as points,
    ):
        for k, frame in enumerate(video.read_frames(source)):
            square = crop.of(frame)
            writer.append(image.resize(square, (size, size))[None])
            face = landmarker.detect(square)
            found.append(face is not None)
            seen = face.points[:, :2] * (size / crop.side) if face else np.full((POINTS, 2), np.nan)
            points.append(seen[None])
            scores.append(face.blendshapes if face else np.full(52, np.nan, np.float32))
            progress.update(k + 1)
    np.savez(folder / "faces.npz", scores=np.array(scores), found=np.array(found))
    return len(found), float(np.mean(found)) if found else 0.0
