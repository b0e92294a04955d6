"""A bench measures what it is asked for and nothing else."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gaussiantalker.evaluation import scoring
from gaussiantalker.evaluation.scoring import Bench, Materials
from gaussiantalker.progress import SILENT


class Counted:
    """A detector that counts what it looks at."""

    seen = 0

    def __init__(self, reader: SimpleNamespace) -> None:
        self.reader = reader

    def detect(self, picture: np.ndarray) -> SimpleNamespace | None:
        self.seen += 1
        return self.reader.detect(picture)


@pytest.fixture
def bench(
    capture: SimpleNamespace, performer: object, mouth_reader: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    monkeypatch.setattr(scoring.Avatar, "load", lambda path, *_: performer())
    for costly in ("lpips_scores", "csim", "syncnet_scores"):
        monkeypatch.setattr(scoring, costly, lambda *_, name=costly: pytest.fail(f"{name} was not asked for"))
    crowds = SimpleNamespace(fid=lambda held: pytest.fail("FID was not asked for"))
    detector = Counted(mouth_reader)
    return Bench(capture, lambda: detector, Materials(), SILENT, crowds)


def test_only_what_is_asked_for_is_measured(bench: Bench) -> None:
    found = bench.measure(Path("avatar"), ["psnr_head", "lip_correlation", "frames_per_cpu_second"])
    assert set(found) == {"psnr_head", "lip_correlation", "frames_per_cpu_second"}
    assert found["psnr_head"].value > 20 and found["frames_per_cpu_second"].value > 0
    assert found["lip_correlation"].value == pytest.approx(1, abs=0.01)


def test_the_truth_is_tracked_once(bench: Bench) -> None:
    detector = bench.detector()
    bench.measure(Path("avatar"), ["lip_correlation"])
    assert detector.seen == 2 * 40
    bench.measure(Path("avatar"), ["lip_correlation"])
    assert detector.seen == 3 * 40


def test_other_speech_is_heard_when_it_is_given(bench: Bench) -> None:
    assert bench.measure(Path("avatar"), ["driven_sync_correlation"]) == {}
    rng = np.random.default_rng(0)
    bench.materials = Materials(rng.normal(0, 0.1, 640 * 60).astype(np.float32), "other.wav")
    assert "driven_sync_correlation" in bench.measure(Path("avatar"), ["driven_sync_correlation"])
