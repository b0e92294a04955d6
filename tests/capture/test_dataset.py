"""A capture written as a dataset of the field, and read again, is the same head in the same place."""

import json
from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.capture import Capture, capture
from gaussiantalker.capture.dataset import pictures, write_dataset
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import project, rigid, rotation_angle
from gaussiantalker.media.image import read_image


@pytest.fixture(scope="module")
def dataset(captured: Capture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset") / "speaker"
    write_dataset(captured, folder)
    return folder


@pytest.fixture(scope="module")
def returned(dataset: Path, captured: Capture, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    return capture(dataset, tmp_path_factory.mktemp("back") / "cap", size=captured.size, consent="drawn by a test")


def test_layout_is_what_others_read(dataset: Path, captured: Capture) -> None:
    count = captured.frames
    assert len(pictures(dataset)) == count
    for folder, ending in (("gt_imgs", "jpg"), ("parsing", "png"), ("torso_imgs", "png"), ("ori_imgs", "lms")):
        assert (dataset / folder / f"{count - 1}.{ending}").exists()
    assert np.loadtxt(dataset / "ori_imgs" / "0.lms").shape == (68, 2)
    assert {tuple(c) for c in read_image(dataset / "parsing" / "0.png").reshape(-1, 3)} == {
        (255, 255, 255),
        (0, 0, 255),
        (0, 255, 0),
        (255, 0, 0),
    }
    train, val = (json.loads((dataset / f"transforms_{n}.json").read_text()) for n in ("train", "val"))
    assert len(train["frames"]) == captured.train_frames and len(val["frames"]) == count - captured.train_frames
    assert (dataset / "bc.jpg").exists() and (dataset / "aud.wav").exists()


def test_masks_blinks_and_sound_return(returned: Capture, captured: Capture) -> None:
    assert returned.frames == captured.frames
    assert np.array_equal(returned.labels[:], captured.labels[:])
    assert np.abs(returned.tracking.blink - captured.tracking.blink).max() < 0.01
    assert np.abs(returned.audio - captured.audio).max() < 1e-3
    assert np.abs(returned.images[:].astype(int) - captured.images[:]).mean() < 3


def test_the_head_is_where_it_was(returned: Capture, captured: Capture) -> None:
    ours, theirs = captured.tracking, returned.tracking
    turned = rotation_angle(theirs.rotations, ours.rotations)
    assert np.degrees(np.ptp(turned)) < 0.5, "up to one turn of the head's axes, the poses are the given ones"
    pixels = [
        project(t.vertices.astype(float), rigid(t.rotations, t.translations), c.camera.K)
        for t, c in ((ours, captured), (theirs, returned))
    ]
    assert np.abs(pixels[0] - pixels[1]).mean() < 0.8
    corners = theirs.vertices[[33, 263]]
    assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(1, abs=1e-5)
    assert len(theirs.points) >= 20_000


def test_second_reading_does_nothing(returned: Capture, dataset: Path) -> None:
    before = (returned.path / "frames.npy").stat().st_mtime_ns
    capture(dataset, returned.path, size=returned.size)
    assert (returned.path / "frames.npy").stat().st_mtime_ns == before


def test_incomplete_datasets_are_named(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(GaussianTalkerError, match="without ori_imgs"):
        capture(tmp_path, tmp_path / "out")
    (tmp_path / "ori_imgs").mkdir()
    with pytest.raises(GaussianTalkerError, match="no numbered pictures"):
        capture(tmp_path, tmp_path / "out")
    for k in (0, 1, 3):
        (tmp_path / "ori_imgs" / f"{k}.jpg").write_bytes((dataset / "ori_imgs" / "0.jpg").read_bytes())
    with pytest.raises(GaussianTalkerError, match="lacks picture 2"):
        capture(tmp_path, tmp_path / "out")
