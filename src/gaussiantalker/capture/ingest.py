"""From a video file to square pictures at 25 fps, the face in each, and the sound beside them."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from gaussiantalker.capture.faces import find_faces, gaps
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.capture.plan import Plan, make_plan
from gaussiantalker.capture.reel import Reel, look_through
from gaussiantalker.capture.scout import Choice, choose
from gaussiantalker.capture.segmentation import Parser, silhouette
from gaussiantalker.capture.sync import FILM_SOUND
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import audio, video
from gaussiantalker.progress import Progress
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, clock

_PLAN = "plan.part.npz"
_MakeParser = Callable[[], Parser]  # makes it when first asked, and gives the same one from then on
_MIN_SECONDS = 2
_MIN_FOUND, _ENOUGH_SECONDS = 0.5, 30  # a face is needed in half the film, or for half a minute
_BYTES_PER_PIXEL = 7.1  # picture, plate and label
_GREY = 256**2  # bytes of a small picture, while it is decided what becomes of the films
_BROKEN_OFF = 1.0  # seconds, and
_BROKEN_SHARE = 0.02  # of the film, by which a whole file may be shorter than it says


@contextmanager
def _one_thread() -> Iterator[None]:
    """Lets OpenCV work on one thread: its pictures are small here, and threads that wait take time from others."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@_one_thread()
def ingest(sources: Sequence[Path], folder: Path, size: int, parser: _MakeParser, progress: Progress) -> dict:
    """Writes frames.npy, landmarks.npy, faces.npz and, when there is sound, film.wav. Returns facts about the sources.

    Raises GaussianTalkerError for files that are no video, break off, are too short, or show no face most of the time.
    """
    infos = [video.probe(source) for source in sources]
    for source, info in zip(sources, infos, strict=True):
        if 0 < info.duration < _MIN_SECONDS:
            raise GaussianTalkerError(
                f"{source} lasts {info.duration:.1f} s; at least {_MIN_SECONDS} s are needed, better 180."
            )
    expected = [max(int(info.duration * FPS), 1) for info in infos]
    _refuse_full_disk(folder, sum(expected) * (size**2 * _BYTES_PER_PIXEL + _GREY))
    plan, reels = _planned(sources, infos, folder, expected, parser, progress)
    crop = plan.crop
    if crop.side < size:
        progress.note(
            f"the head and shoulders are {crop.side} pixels wide in {_names(sources)} and are enlarged to {size}"
        )
    bridged = list(plan.facts["bridged"])
    sound = any(info.has_audio for info in infos)
    seconds = _write_sound(sources, infos, folder, plan, bridged, progress) if sound else 0.0
    for sentence in bridged:
        progress.note(sentence)
    progress.stage("landmarks", plan.frames)
    found = find_faces(folder, lambda first: plan.squares(reels, first), crop.side, size, progress)
    _refuse_faceless(sources, found)
    return plan.facts | {
        "frames": len(found),
        "sound": sound,
        "sound_seconds": seconds,
        "bridged": bridged,
        "source_fps": round(infos[plan.parts[0].film].fps, 4),
        "crop": [crop.left, crop.top, crop.side],
        "cut": _cuts(found, plan),
        "films": plan.films,
    }


def _planned(
    sources: Sequence[Path],
    infos: Sequence[video.VideoInfo],
    folder: Path,
    expected: Sequence[int],
    parser: _MakeParser,
    progress: Progress,
) -> tuple[Plan, list[Reel]]:
    """What becomes of the films, decided once: a run that was killed later on remembers it."""
    if (folder / _PLAN).exists():
        plan = Plan.load(folder / _PLAN)
        return plan, [Reel.known(path, plan.turns.get(k, 0)) for k, path in enumerate(sources)]
    progress.stage("find the speaker", sum(expected))
    landmarker = Landmarker(progress=progress)
    # Names as of files that are not finished: whoever comes after a killed run removes them.
    greys = [folder / f".greys-{k}.{os.getpid()}.partial.npy" for k in range(len(sources))]
    try:
        reels = [
            look_through(source, grey, count, landmarker, progress)
            for source, grey, count in zip(sources, greys, expected, strict=True)
        ]
        for source, info, reel in zip(sources, infos, reels, strict=True):
            _refuse_broken(source, info, reel.frames)
            if reel.turns:
                progress.note(f"{source.name} lies on its side, or its head down, and was turned upright")
        choice = choose(reels, lambda picture, points: silhouette(picture, points, parser()), progress)
        plan = make_plan(reels, choice)
        _tell(sources, choice, plan, progress)
        plan.save(folder / _PLAN)
    finally:
        for grey in greys:
            grey.unlink(missing_ok=True)
    return plan, reels


def _names(sources: Sequence[Path]) -> str:
    return " + ".join(source.name for source in sources)


def _tell(sources: Sequence[Path], choice: Choice, plan: Plan, progress: Progress) -> None:
    """Says what was decided."""
    if choice.others:
        progress.note(
            f"{choice.others + 1} people are seen in {_names(sources)}; the one largest and longest is followed"
        )
    if plan.facts["left_out"]:
        progress.note(f"kept: {', '.join(plan.facts['kept'])}; left out: {', '.join(plan.facts['left_out'])}")
    camera = plan.facts["camera"]
    if camera["state"] == "steadied":
        progress.note(f"the camera moves by up to {camera['moves_px']:.0f} pixels; the film is steadied")


def _cuts(found: np.ndarray, plan: Plan) -> list[tuple[int, int]]:
    """Stretches without a face, and the joins of parts as cuts of no length."""
    joins = np.cumsum([part.stop - part.start for part in plan.parts])[:-1].tolist()
    long = gaps(found)
    inside = {join for join in joins for a, b in long if a <= join <= b}
    return sorted(long + [(join, join) for join in joins if join not in inside])


def _write_sound(
    sources: Sequence[Path],
    infos: Sequence[video.VideoInfo],
    folder: Path,
    plan: Plan,
    bridged: list[str],
    progress: Progress,
) -> float:
    """film.wav, exactly as long as the pictures. Returns how many seconds of it the sources have; what was bridged in
    them is added to `bridged`."""
    if len(sources) == len(plan.parts) == 1 and plan.parts[0].start == 0:
        return _whole_sound(sources[0], folder, plan.frames, bridged, progress)
    pieces, films = [], {part.film for part in plan.parts if infos[part.film].has_audio}
    heard = {film: audio.read_audio(sources[film], told=bridged) for film in films}
    for part in plan.parts:
        first, stop = part.start * SAMPLES_PER_FRAME, part.stop * SAMPLES_PER_FRAME
        samples = heard.get(part.film, np.zeros(0, np.float32))[first:stop]
        pieces.append(np.pad(samples, (0, stop - first - len(samples))))
    audio.write_wav(folder / FILM_SOUND, np.concatenate(pieces))
    return round(sum(len(samples) for samples in heard.values()) / SAMPLE_RATE, 2)


def _whole_sound(source: Path, folder: Path, frames: int, bridged: list[str], progress: Progress) -> float:
    seconds = audio.copy_wav(source, folder / FILM_SOUND, frames * SAMPLES_PER_FRAME, bridged) / SAMPLE_RATE
    if abs(seconds - frames / FPS) > 0.5:
        change = "cut off" if seconds > frames / FPS else "continued in silence"
        lengths = f"lasts {seconds:.1f} s, the pictures {frames / FPS:.1f} s"
        progress.note(f"the sound of {source.name} {lengths}; it is {change}")
    return round(seconds, 2)


def _refuse_full_disk(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise GaussianTalkerError(
            f"The capture needs about {needed / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free; "
            "make room, choose another folder, or a smaller --size."
        )


def _refuse_broken(source: Path, info: video.VideoInfo, frames: int) -> None:
    seconds = frames / FPS
    # Only a file that counts its pictures knows how long they should last: others tell the length of the longest track.
    if info.frames and seconds < info.duration * (1 - _BROKEN_SHARE) - _BROKEN_OFF:
        raise GaussianTalkerError(
            f"{source} breaks off at {clock(seconds)} of {clock(info.duration)}; copy or export it again, "
            f"or cut it there to use the part before."
        )
    if seconds < _MIN_SECONDS:
        raise GaussianTalkerError(
            f"{source} has {seconds:.1f} s of pictures; at least {_MIN_SECONDS} s are needed, better 180."
        )


def _refuse_faceless(sources: Sequence[Path], found: np.ndarray) -> None:
    source = " + ".join(map(str, sources))
    if found.mean() >= _MIN_FOUND or found.sum() >= _ENOUGH_SECONDS * FPS:
        return
    first, last = np.flatnonzero(found)[[0, -1]] / FPS if found.any() else (0.0, 0.0)
    raise GaussianTalkerError(
        f"A face is seen in only {found.mean():.0%} of {source}, from {clock(first)} to {clock(last)}; "
        f"cut it to the part with the speaker, at least {_MIN_SECONDS} s long."
    )
