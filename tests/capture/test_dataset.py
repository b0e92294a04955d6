"""A capture written as a dataset of the field, and read again, is the same head in the same place."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gaussiantalker.capture import Capture, capture
from gaussiantalker.capture.dataset import ingest_dataset, pictures, write_dataset
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import project, rigid, rotation_angle
from gaussiantalker.media.image import read_image
from gaussiantalker.progress import SILENT
from gaussiantalker.training import train
from gaussiantalker.training.schedule import SCHEDULES


@pytest.fixture(scope="module")
def dataset(captured: Capture, model: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model("whisper-tiny-en")
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
    features = np.load(dataset / "aud_ds.npy")
    assert features.shape == (count, 16, 29) and np.isfinite(features).all()
    assert np.array_equal(features[1:, :14], features[:-1, 2:]), "windows of 16 rows, two further for each frame"
    tracked = torch.load(dataset / "track_params.pt", weights_only=True)
    assert tracked["euler"].shape == tracked["trans"].shape == (count, 3) and tracked["vertices"].shape[0] == count
    assert "AU45_r" in (dataset / "au.csv").read_text().splitlines()[0]


def test_masks_blinks_and_sound_return(returned: Capture, captured: Capture, dataset: Path) -> None:
    assert returned.frames == captured.frames
    assert np.array_equal(returned.labels[:], captured.labels[:])
    assert np.abs(returned.tracking.blink - captured.tracking.blink).max() < 0.01
    assert np.abs(returned.audio - captured.audio).max() < 1e-3
    assert np.array_equal(returned.deepspeech, np.load(dataset / "aud_ds.npy"))
    assert captured.deepspeech is None
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


def test_an_imported_dataset_can_be_trained(returned: Capture, tmp_path: Path) -> None:
    steps = {"listening_steps": 5, "canonical_steps": 4, "deformation_steps": 2, "finish_steps": 0, "points": 500}
    avatar = train(returned.path, tmp_path / "avatar", schedule=replace(SCHEDULES["demo"], **steps))
    assert json.loads((avatar / "avatar.json").read_text())["recipe"]["capture"] == returned.fingerprint


def test_windows_that_are_too_few_or_none_are_handled(dataset: Path, captured: Capture, tmp_path: Path) -> None:
    source = tmp_path / "published"
    shutil.copytree(dataset, source)
    windows = np.load(source / "aud_ds.npy")
    (source / "aud_ds.npy").unlink()
    np.save(source / "aud.npy", windows[:-3])
    facts = ingest_dataset(source, tmp_path, captured.size, SILENT)
    kept = np.load(tmp_path / "deepspeech.npy")
    assert len(kept) == facts["frames"] and np.array_equal(kept[-4:], np.repeat(windows[-4:-3], 4, 0))
    np.save(source / "aud.npy", windows[:, :8])
    with pytest.raises(GaussianTalkerError, match="not DeepSpeech windows"):
        ingest_dataset(source, tmp_path, captured.size, SILENT)
