"""What an avatar costs: time to train, room on disk, time for a picture."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gaussiantalker import hardware
from gaussiantalker.evaluation.record import Measured, not_measured
from gaussiantalker.evaluation.speed import WARM_UP, Stopwatch
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.rendering import BATCH
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

LIVE_FRAMES = 100
REAL_TIME = "seconds of work for a second of speech"
EVERY_STEP = "features of the sound, deformation, rasterization, compositing; the picture is in memory at the end"


def cost_scores(
    avatar: Avatar, folder: Path, audio: np.ndarray, progress: Progress
) -> tuple[dict[str, Measured], list[float]]:
    """Measures live frames under `audio` [S] and reads the rest from the avatar's folder.

    The second part are the milliseconds that each live picture took.
    """
    speed, waits = _speed(avatar, audio, progress)
    return {**_size(avatar, folder), **_training(avatar), **speed, **_memory()}, [wait * 1000 for wait in waits]


def _size(avatar: Avatar, folder: Path) -> dict[str, Measured]:
    parameters = sum(parameter.numel() for parameter in avatar.talker.parameters())
    size = (folder / "model.safetensors").stat().st_size
    return {
        "gaussians": Measured("Gaussians", float(len(avatar.talker.raw["means"]))),
        "parameters": Measured("Trained numbers", float(parameters), note="Gaussians, triplane and networks"),
        "model_bytes": Measured("Model size", size / 1e6, "MB", "lower", note="without the plates behind the head"),
    }


def _training(avatar: Avatar) -> dict[str, Measured]:
    seconds = avatar.info.get("training", {}).get("seconds")
    label = "Training time"
    if seconds is None:
        return {"training_minutes": not_measured(label, "the avatar does not say how long it was trained", "min")}
    note = "both stages, without capture; on the machine that trained it"
    return {"training_minutes": Measured(label, seconds / 60, "min", "lower", note=note)}


def _speed(avatar: Avatar, audio: np.ndarray, progress: Progress) -> tuple[dict[str, Measured], np.ndarray]:
    """Live, one picture at a time: sound is handed over in pieces of 40 ms as it would arrive."""
    needed = (LIVE_FRAMES + WARM_UP) * SAMPLES_PER_FRAME
    audio = np.tile(audio, -(-needed // max(len(audio), 1)))[:needed]
    live, whole = Stopwatch(), Stopwatch()
    progress.stage("timing", 2 * (LIVE_FRAMES + WARM_UP))
    for frame in live.watch(avatar.stream(audio.reshape(-1, SAMPLES_PER_FRAME))):
        progress.update(frame.index + 1)
    for frame in whole.watch(avatar.speak(audio)):
        progress.update(LIVE_FRAMES + WARM_UP + frame.index + 1)
    counted, note = len(live.counted), EVERY_STEP
    scores = {
        "latency_p50": Measured(
            "Time per picture, live, median", live.percentile(50), "ms", "lower", n=counted, note=note
        ),
        "latency_p95": Measured(
            "Time per picture, live, 95 %", live.percentile(95), "ms", "lower", n=counted, note=note
        ),
        "frames_per_second_live": Measured(
            "Pictures per second, live", live.per_second, "fps", "higher", n=counted, note=note
        ),
        "frames_per_second": Measured(
            "Pictures per second, offline",
            whole.per_second,
            "fps",
            "higher",
            n=len(whole.counted),
            note=f"{EVERY_STEP}; {BATCH} pictures at a time",
        ),
        "real_time_factor": Measured(
            "Real-time factor, offline", FPS / whole.per_second, "", "lower", n=len(whole.counted), note=REAL_TIME
        ),
    }
    return scores | {"first_picture": _first_picture(avatar, audio)}, live.counted


def _first_picture(avatar: Avatar, audio: np.ndarray) -> Measured:
    """From the first sound to the first picture: the sound that must arrive before it, and the work."""
    heard = 0

    def arriving() -> Iterator[np.ndarray]:
        nonlocal heard
        for piece in audio.reshape(-1, SAMPLES_PER_FRAME):
            heard += 1
            yield piece

    began = time.perf_counter()
    next(iter(avatar.stream(arriving())))
    work, waiting = (time.perf_counter() - began) * 1000, heard * 1000 / FPS
    note = f"{waiting:.0f} ms of sound must have arrived; {work:.0f} ms are work"
    return Measured("Time to the first picture, live", waiting + work, "ms", "lower", n=1, note=note)


def _memory() -> dict[str, Measured]:
    peak = hardware.peak_memory_bytes()
    label = "Peak memory of the evaluation"
    if peak is None:
        return {"peak_memory": not_measured(label, "this system does not tell", "MB")}
    return {"peak_memory": Measured(label, peak / 1e6, "MB", "lower", note="frames of the capture in memory included")}
