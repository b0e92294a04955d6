"""What an avatar costs, on one that costs nothing."""

import pytest

from gaussiantalker.evaluation.costs import METRICS, TIMED_FRAMES, WARM_UP, _Stopwatch, live
from gaussiantalker.evaluation.held_out import Rendering
from gaussiantalker.evaluation.metrics import measure


def test_everything_is_counted(rendering: Rendering) -> None:
    scores = measure(rendering, [metric.key for metric in METRICS])
    waits = live(rendering).counted
    assert len(waits) == scores["latency_p50"].n == TIMED_FRAMES and min(waits) > 0
    assert scores["model_bytes"].value == 2 and scores["gaussians"].value == 7
    assert scores["real_time_factor"].value == pytest.approx(25 / scores["frames_per_second"].value)
    assert scores["frames_per_cpu_second"].value > 0 and scores["training_minutes"].value == 1.5


def test_the_first_picture_waits_for_its_sound(rendering: Rendering) -> None:
    first = measure(rendering, ["first_picture"])["first_picture"]
    assert "120 ms of sound" in first.note and first.value >= 120


def test_everything_comes_through_and_the_first_do_not_count() -> None:
    watch = _Stopwatch()
    assert list(watch.watch(range(12))) == list(range(12))
    assert len(watch.waits) == 12 and len(watch.counted) == 12 - WARM_UP


def test_rates_and_percentiles() -> None:
    watch = _Stopwatch([9.0] * WARM_UP + [0.02] * 9 + [0.12])
    assert round(watch.per_second) == 33
    assert round(watch.percentile(50)) == 20
    assert watch.percentile(95) > 20
