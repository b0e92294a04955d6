"""What an avatar costs: time to train, room on disk, time for a picture."""

from pathlib import Path

import numpy as np

from gaussiantalker import hardware
from gaussiantalker.evaluation.record import Measured, not_measured
from gaussiantalker.evaluation.speed import WARM_UP, Stopwatch
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.timing import SAMPLES_PER_FRAME

LIVE_FRAMES = 100
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
    counted = len(live.counted)
    scores = {
        "latency_p50": Measured(
            "Time per picture, live, median", live.percentile(50), "ms", "lower", n=counted, note=EVERY_STEP
        ),
        "latency_p95": Measured(
            "Time per picture, live, 95 %", live.percentile(95), "ms", "lower", n=counted, note=EVERY_STEP
        ),
        "frames_per_second_live": Measured(
            "Pictures per second, live", live.per_second, "fps", "higher", n=counted, note=EVERY_STEP
        ),
        "frames_per_second": Measured(
            "Pictures per second, offline", whole.per_second, "fps", "higher", n=len(whole.counted), note=EVERY_STEP
        ),
    }
    return scores, live.counted


def _memory() -> dict[str, Measured]:
    peak = hardware.peak_memory_bytes()
    label = "Peak memory of the evaluation"
    if peak is None:
        return {"peak_memory": not_measured(label, "this system does not tell", "MB")}
    return {"peak_memory": Measured(label, peak / 1e6, "MB", "lower", note="frames of the capture in memory included")}
