"""FID and CSIM of held-out frames, with networks that stand in for the large ones."""

from dataclasses import replace

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation import likeness
from gaussiantalker.evaluation.held_out import Rendering
from gaussiantalker.evaluation.metrics import measure

KEYS = ("csim", "fid")


class Means:
    """Embeds a picture by its mean colour; features are means of its quarters."""

    def __init__(self, progress: object) -> None:
        pass

    def embedding(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
        mean = picture.mean(axis=(0, 1)) + 1e-9
        return mean / np.linalg.norm(mean)

    def features(self, picture: np.ndarray) -> np.ndarray:
        return picture[: len(picture) // 2].mean(axis=(0, 1)).astype(float)


def test_both_are_measured_with_their_conditions(rendering: Rendering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "Identity", Means)
    monkeypatch.setattr(likeness, "_Inception", Means)
    found = measure(rendering, KEYS)
    assert found["csim"].value == pytest.approx(1, abs=0.01) and found["csim"].n == len(rendering)
    assert found["fid"].value == pytest.approx(0, abs=0.1)
    assert "40 frames are fewer than 2048" in found["fid"].note


def test_without_networks_nothing_is_measured_and_the_reason_is_told(
    rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(progress: object) -> None:
        raise GaussianTalkerError("no network")

    monkeypatch.setattr(likeness, "Identity", missing)
    monkeypatch.setattr(likeness, "_Inception", missing)
    assert [score.note for score in measure(rendering, KEYS).values()] == ["no network"] * 2
    rendering.reference.inputs = replace(rendering.inputs, time=False)
    assert all("quick" in score.note for score in measure(rendering, KEYS).values())
