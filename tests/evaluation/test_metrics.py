"""One registry of metrics: what is asked for is measured, once, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from gaussiantalker.evaluation import likeness, lse, pictures
from gaussiantalker.evaluation.held_out import Rendering, network, shared
from gaussiantalker.evaluation.metric import NEEDS
from gaussiantalker.evaluation.metrics import METRICS, measure
from gaussiantalker.evaluation.record import NotMeasured


class Counted:
    """A detector that counts what it looks at."""

    seen = 0

    def __init__(self, reader: object) -> None:
        self.reader = reader

    def detect(self, picture: np.ndarray) -> object:
        self.seen += 1
        return self.reader.detect(picture)


@pytest.fixture
def cheap(rendering: Rendering, monkeypatch: pytest.MonkeyPatch) -> Rendering:
    """Fails where something costly is begun."""
    for module, costly in (
        (pictures, "Lpips"),
        (likeness, "Identity"),
        (likeness, "_Inception"),
        (lse, "_sync_scores"),
    ):
        monkeypatch.setattr(module, costly, lambda *_, name=costly: pytest.fail(f"{name} was not asked for"))
    return rendering


def test_only_what_is_asked_for_is_measured(cheap: Rendering) -> None:
    found = measure(cheap, ["psnr_head", "lip_correlation", "frames_per_cpu_second"])
    assert set(found) == {"psnr_head", "lip_correlation", "frames_per_cpu_second"}
    assert found["psnr_head"].value > 20 and found["frames_per_cpu_second"].value > 0
    assert found["lip_correlation"].value == pytest.approx(1, abs=0.01)


def test_each_video_is_tracked_once_and_the_truth_for_all_avatars(cheap: Rendering) -> None:
    detector = Counted(cheap.reference.detector())
    cheap.reference.detector = lambda: detector
    measure(cheap, ["lip_correlation", "lmd", "lip_range"])
    assert detector.seen == 2 * 40
    other = Rendering(cheap.avatar, cheap.folder, cheap.reference, cheap.images)
    measure(other, ["lip_correlation"])
    assert detector.seen == 3 * 40


def test_other_speech_is_heard_when_it_is_given(cheap: Rendering) -> None:
    key = "driven_sync_correlation"
    assert "--audio" in measure(cheap, [key])[key].note
    sound = np.random.default_rng(0).normal(0, 0.1, 640 * 60).astype(np.float32)
    cheap.reference.inputs = replace(cheap.inputs, audio=sound)
    assert "--audio" not in measure(cheap, [key])[key].note


def test_what_is_not_there_is_found_missing_once(rendering: Rendering) -> None:
    tried = []

    @shared
    def missing(owner: Rendering) -> float:
        tried.append(owner)
        raise NotMeasured("nothing there")

    for _ in range(2):
        with pytest.raises(NotMeasured, match="nothing there"):
            missing(rendering)
    assert len(tried) == 1
    assert network(rendering.reference, lambda name, progress: name, "alex") == "alex"


def test_every_metric_says_what_it_is() -> None:
    for key, metric in METRICS.items():
        assert key == metric.key and metric.label and metric.needs in ("", *NEEDS), key
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)
