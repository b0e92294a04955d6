"""Metrics of cost: training time, room on disk, time for a picture."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from gaussiantalker import hardware
from gaussiantalker.evaluation.held_out import Rendering, shared
from gaussiantalker.evaluation.metric import Metric
from gaussiantalker.evaluation.record import NotMeasured, Score
from gaussiantalker.speaking.avatar import BATCH
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

TIMED_FRAMES = 100
WARM_UP = 5  # first pictures that do not count: code is compiled and memory is fetched
_EVERY_STEP = "features of the sound, deformation, rasterization, compositing; the picture is in memory at the end"
_AT_ONCE = f"{_EVERY_STEP}; {BATCH} pictures at a time"
_T = TypeVar("_T")


@dataclass
class _Stopwatch:
    """Lets things through and keeps the seconds, on its clock, that it waited for each."""

    waits: list[float] = field(default_factory=list)
    clock: Callable[[], float] = time.perf_counter

    def watch(self, things: Iterable[_T]) -> Iterator[_T]:
        iterator = iter(things)
        while True:
            began = self.clock()
            try:
                thing = next(iterator)
            except StopIteration:
                return
            self.waits.append(self.clock() - began)
            yield thing

    @property
    def counted(self) -> np.ndarray:  # [N] seconds
        return np.array(self.waits[WARM_UP:])

    @property
    def per_second(self) -> float:
        return len(self.counted) / float(self.counted.sum())

    def percentile(self, percent: float) -> float:
        """Milliseconds that this share of the pictures took at most."""
        return float(np.percentile(self.counted, percent) * 1000)


def _sound(rendering: Rendering) -> np.ndarray:
    """Other audio where there is some, else the held-out, as often as need be."""
    audio = rendering.reference.audio if rendering.inputs.audio is None else rendering.inputs.audio
    needed = (TIMED_FRAMES + WARM_UP) * SAMPLES_PER_FRAME
    return np.tile(audio, -(-needed // max(len(audio), 1)))[:needed]


@shared
def live(rendering: Rendering) -> _Stopwatch:
    """One picture at a time: sound is handed over in pieces of 40 ms as it would arrive."""
    watch = _Stopwatch()
    rendering.progress.stage("timing, live", TIMED_FRAMES + WARM_UP)
    for frame in watch.watch(rendering.avatar.stream(_sound(rendering).reshape(-1, SAMPLES_PER_FRAME))):
        rendering.progress.update(frame.index + 1)
    return watch


@shared
def _offline(rendering: Rendering) -> tuple[_Stopwatch, _Stopwatch]:
    """As `speak` renders, by the clock and by the processor's time."""
    clock, processor = _Stopwatch(), _Stopwatch(clock=time.process_time)
    rendering.progress.stage("timing, offline", TIMED_FRAMES + WARM_UP)
    for frame in clock.watch(processor.watch(rendering.avatar.speak(_sound(rendering)))):
        rendering.progress.update(frame.index + 1)
    return clock, processor


def _latency(rendering: Rendering, percent: float) -> Score:
    watch = live(rendering)
    return Score(watch.percentile(percent), len(watch.counted), _EVERY_STEP)


def _rate(rendering: Rendering, watch: Callable[[Rendering], _Stopwatch], note: str) -> Score:
    found = watch(rendering)
    return Score(found.per_second, len(found.counted), note)


def _real_time(rendering: Rendering) -> Score:
    clock, _ = _offline(rendering)
    return Score(FPS / clock.per_second, len(clock.counted), "seconds of work for a second of speech")


def _first_picture(rendering: Rendering) -> Score:
    """From the first sound to the first picture: the sound that must arrive before it, and the work."""
    heard = 0

    def arriving() -> Iterator[np.ndarray]:
        nonlocal heard
        for piece in _sound(rendering).reshape(-1, SAMPLES_PER_FRAME):
            heard += 1
            yield piece

    began = time.perf_counter()
    next(iter(rendering.avatar.stream(arriving())))
    work, waiting = (time.perf_counter() - began) * 1000, heard * 1000 / FPS
    return Score(waiting + work, 1, f"{waiting:.0f} ms of sound must have arrived; {work:.0f} ms are work")


def _training(rendering: Rendering) -> Score:
    seconds = rendering.avatar.info.get("training", {}).get("seconds")
    if seconds is None:
        raise NotMeasured("the avatar does not say how long it was trained")
    return Score(seconds / 60, note="both stages, without capture; on the machine that trained it")


def _parameters(rendering: Rendering) -> Score:
    count = sum(parameter.numel() for parameter in rendering.avatar.talker.parameters())
    return Score(float(count), note="Gaussians, triplane and networks")


def _model_bytes(rendering: Rendering) -> Score:
    size = (rendering.folder / "model.safetensors").stat().st_size
    return Score(size / 1e6, note="without the plates behind the head")


def _memory(rendering: Rendering) -> Score:
    peak = hardware.peak_memory_bytes()
    if peak is None:
        raise NotMeasured("this system does not tell")
    return Score(peak / 1e6, note="frames of the capture in memory included")


METRICS = (
    Metric("gaussians", "Gaussians", lambda it: Score(float(len(it.avatar.talker.raw["means"])))),
    Metric("parameters", "Trained numbers", _parameters),
    Metric("model_bytes", "Model size", _model_bytes, "MB", "lower"),
    Metric("training_minutes", "Training time", _training, "min", "lower"),
    Metric("latency_p50", "Time per picture, live, median", partial(_latency, percent=50), "ms", "lower"),
    Metric("latency_p95", "Time per picture, live, 95 %", partial(_latency, percent=95), "ms", "lower"),
    Metric(
        "frames_per_second_live",
        "Pictures per second, live",
        partial(_rate, watch=live, note=_EVERY_STEP),
        "fps",
        "higher",
    ),
    Metric(
        "frames_per_second",
        "Pictures per second, offline",
        partial(_rate, watch=lambda it: _offline(it)[0], note=_AT_ONCE),
        "fps",
        "higher",
    ),
    Metric(
        "frames_per_cpu_second",
        "Pictures per second of processor time, offline",
        partial(_rate, watch=lambda it: _offline(it)[1], note="not slowed by other programs"),
        "fps",
        "higher",
    ),
    Metric("real_time_factor", "Real-time factor, offline", _real_time, "", "lower"),
    Metric("first_picture", "Time to the first picture, live", _first_picture, "ms", "lower"),
    Metric("peak_memory", "Peak memory of the evaluation", _memory, "MB", "lower"),
)
