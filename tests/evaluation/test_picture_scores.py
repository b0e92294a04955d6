"""Which pixels count in which score."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gaussiantalker.evaluation import picture_scores as scores
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.picture_scores import landmark_box, lpips_scores, pixel_scores
from gaussiantalker.evaluation.pixels import PSNR_LIMIT
from gaussiantalker.progress import SILENT


@pytest.fixture
def held(capture: SimpleNamespace, performer: object, mouth_reader: SimpleNamespace, tmp_path: Path) -> HeldOut:
    return HeldOut.render(performer(), capture, lambda: mouth_reader, tmp_path, SILENT)


def test_the_landmark_box_is_the_box_of_the_landmarks() -> None:
    points = np.array([[3.2, 5.9], [10.5, 20.1], [4.0, 8.0]])
    rows, columns = np.nonzero(landmark_box(points, (30, 30)))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (3, 10, 5, 20)
    beyond = np.array([[-9.0, -3.0], [99.0, 99.0]])
    assert landmark_box(beyond, (30, 30)).all()
    assert not landmark_box(np.full((2, 2), np.nan), (30, 30)).any()


def test_each_region_counts_its_own_pixels(held: HeldOut) -> None:
    """The same error is 10 lg of the areas' ratio weaker over the whole frame than over the head."""
    found, per_frame = pixel_scores(held, SILENT)
    area = 48 * 48 / (32 * 28)
    differ = per_frame["psnr_head"] < PSNR_LIMIT
    weaker = (per_frame["psnr_whole"] - per_frame["psnr_head"])[differ]
    assert differ.any() and weaker == pytest.approx(np.full(differ.sum(), 10 * np.log10(area)), abs=1e-3)
    assert set(per_frame) == set(found) and all(len(values) == len(held) for values in per_frame.values())
    assert found["ssim_whole"].value > found["ssim_head"].value
    assert found["psnr_face_box"].region != found["psnr_head"].region


def test_lpips_looks_at_the_face_or_at_everything(held: HeldOut, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sizes:
        """Finds pictures as far apart as they have pixels."""

        def __init__(self, net: str, progress: object) -> None:
            self.net = net

        def distance(self, a: np.ndarray, b: np.ndarray) -> float:
            return a.shape[0] * a.shape[1]

    monkeypatch.setattr(scores, "Lpips", Sizes)
    found = lpips_scores(held, ("lpips_alex", "lpips_whole", "lpips_vgg"), SILENT)
    assert found["lpips_whole"].value == 48 * 48 and found["lpips_alex"].value == (32 + 6) * (28 + 6)
    assert (found["lpips_alex"].n, found["lpips_vgg"].n) == (40, 12) and found["lpips_vgg"].model.endswith("vgg")
