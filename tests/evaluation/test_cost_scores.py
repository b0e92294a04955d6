"""What an avatar costs, on one that costs nothing."""

from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.evaluation.cost_scores import LIVE_FRAMES, cost_scores
from gaussiantalker.progress import SILENT


def test_everything_is_counted(performer: object, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(2_000_000))
    scores, waits = cost_scores(performer(), tmp_path, np.zeros(640 * 30, np.float32), SILENT)
    assert len(waits) == scores["latency_p50"].n == LIVE_FRAMES and min(waits) > 0
    assert scores["model_bytes"].value == 2 and scores["gaussians"].value == 7
    assert scores["real_time_factor"].value == pytest.approx(25 / scores["frames_per_second"].value)


def test_the_first_picture_waits_for_its_sound(performer: object, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    first = cost_scores(performer(), tmp_path, np.zeros(640 * 30, np.float32), SILENT)[0]["first_picture"]
    assert "120 ms of sound" in first.note and first.value >= 120
