"""Which pixels count in which score."""

import numpy as np
import pytest

from gaussiantalker.evaluation import pictures
from gaussiantalker.evaluation.held_out import Rendering
from gaussiantalker.evaluation.metrics import measure
from gaussiantalker.evaluation.pictures import PSNR_LIMIT, _landmark_box, likeness


def test_the_landmark_box_is_the_box_of_the_landmarks() -> None:
    points = np.array([[3.2, 5.9], [10.5, 20.1], [4.0, 8.0]])
    rows, columns = np.nonzero(_landmark_box(points, (30, 30)))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (3, 10, 5, 20)
    beyond = np.array([[-9.0, -3.0], [99.0, 99.0]])
    assert _landmark_box(beyond, (30, 30)).all()
    assert not _landmark_box(np.full((2, 2), np.nan), (30, 30)).any()


def test_each_region_counts_its_own_pixels(rendering: Rendering) -> None:
    """The same error is 10 lg of the areas' ratio weaker over the whole frame than over the head."""
    per_frame = likeness(rendering)
    found = measure(rendering, per_frame)
    area = 48 * 48 / (32 * 28)
    differ = per_frame["psnr_head"] < PSNR_LIMIT
    weaker = (per_frame["psnr_whole"] - per_frame["psnr_head"])[differ]
    assert differ.any() and weaker == pytest.approx(np.full(differ.sum(), 10 * np.log10(area)), abs=1e-3)
    assert all(len(values) == len(rendering) for values in per_frame.values())
    assert found["ssim_whole"].value > found["ssim_head"].value
    assert found["psnr_face_box"].region != found["psnr_head"].region
    assert "true video's own pixels" in found["psnr_whole"].note and not found["psnr_head"].note


def test_lpips_looks_at_the_face_or_at_everything(rendering: Rendering, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sizes:
        """Finds pictures as far apart as they have pixels."""

        def __init__(self, net: str, progress: object) -> None:
            loaded.append(net)

        def distance(self, a: np.ndarray, b: np.ndarray) -> float:
            return a.shape[0] * a.shape[1]

    loaded: list[str] = []
    monkeypatch.setattr(pictures, "Lpips", Sizes)
    found = measure(rendering, ("lpips_alex", "lpips_whole", "lpips_vgg"))
    assert found["lpips_whole"].value == 48 * 48 and found["lpips_alex"].value == (32 + 6) * (28 + 6)
    assert (found["lpips_alex"].n, found["lpips_vgg"].n) == (40, 12) and found["lpips_vgg"].model.endswith("vgg")
    assert loaded == ["alex", "vgg"]


def test_neck_and_torso_are_judged_where_they_are_seen(rendering: Rendering, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Seen:
        def __init__(self, net: str, progress: object) -> None: ...

        def distance(self, a: np.ndarray, b: np.ndarray) -> float:
            seen.append(a.shape)
            return 0.5

    monkeypatch.setattr(pictures, "Lpips", Seen)
    keys = ["lpips_torso", "psnr_torso"]
    found = measure(rendering, keys)
    assert found["psnr_torso"].value == PSNR_LIMIT, "no pixel of the torso differs from the true video's"
    assert not seen and "no frame has this region" in found["lpips_torso"].note, "8 rows are too few to be looked at"
    rendering.reference.capture.labels[:, 8:, 6:40] = 3
    assert measure(rendering, keys)["lpips_torso"].value == 0.5 and set(seen) == {(40, 34, 3)}
