"""FID and CSIM of held-out frames, with networks that stand in for the large ones."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation import likeness_scores as scores
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.progress import SILENT


class Means:
    """Embeds a picture by its mean colour; features are means of its quarters."""

    def __init__(self, progress: object) -> None:
        pass

    def embedding(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
        mean = picture.mean(axis=(0, 1)) + 1e-9
        return mean / np.linalg.norm(mean)

    def features(self, picture: np.ndarray) -> np.ndarray:
        return picture[: len(picture) // 2].mean(axis=(0, 1)).astype(float)


@pytest.fixture
def held(capture: SimpleNamespace, performer: object, mouth_reader: SimpleNamespace, tmp_path: Path) -> HeldOut:
    return HeldOut.render(performer(), capture, lambda: mouth_reader, tmp_path, SILENT)


def test_both_are_measured_with_their_conditions(held: HeldOut, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "Identity", Means)
    monkeypatch.setattr(scores, "Inception", Means)
    found = scores.likeness_scores(held, False, SILENT)
    assert found["csim"].value == pytest.approx(1, abs=0.01) and found["csim"].n == len(held)
    assert found["fid"].value == pytest.approx(0, abs=0.1)
    assert "40 frames are fewer than 2048" in found["fid"].note


def test_without_networks_nothing_is_measured_and_the_reason_is_told(
    held: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(progress: object) -> None:
        raise GaussianTalkerError("no network")

    monkeypatch.setattr(scores, "Identity", missing)
    monkeypatch.setattr(scores, "Inception", missing)
    found = scores.likeness_scores(held, False, SILENT)
    assert [score.note for score in found.values()] == ["no network"] * 2
    assert all("quick" in score.note for score in scores.likeness_scores(held, True, SILENT).values())
