"""What is read is finite, in range and of the right shape, or one sentence says what is not."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.capture import Capture, adnerf
from gaussiantalker.capture.soundness import RULES
from gaussiantalker.errors import GaussianTalkerError


@pytest.fixture
def copy(captured: Capture, tmp_path: Path) -> Path:
    return Path(shutil.copytree(captured.path, tmp_path / "cap"))


def rewrite(folder: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Changes one array of a capture, whose record then tells the new lengths of its files."""
    for file in ("tracking.npz", "head.npz", "points.npz"):
        with np.load(folder / file) as content:
            arrays = dict(content)
        if name in arrays:
            np.savez(folder / file, **(arrays | {name: change(arrays[name])}))
    record_lengths(folder)


def record_lengths(folder: Path) -> None:
    record = json.loads((folder / "capture.json").read_text())
    for stage in record["stages"].values():
        stage["files"] = {name: (folder / name).stat().st_size for name in stage["files"]}
    (folder / "capture.json").write_text(json.dumps(record))


def poisoned(array: np.ndarray) -> np.ndarray:
    out = array.copy()
    out.flat[out.size // 2] = np.nan
    return out


CHANGES = {
    "a row less": lambda array: array[:-1],
    "an axis more": lambda array: array[None],
    "transposed": lambda array: array.T if array.ndim > 1 else array[:, None],
    "empty": lambda array: array[:0],
    "text": lambda array: array.astype(str),
    "not a number": poisoned,
    "infinite": lambda array: np.where(np.arange(array.size).reshape(array.shape) == 3, np.inf, array),
    "huge": lambda array: np.full_like(array, 1e9 if array.dtype.kind == "f" else np.iinfo(array.dtype).max),
}


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("kind", CHANGES)
def test_no_array_is_taken_as_it_comes(copy: Path, name: str, kind: str) -> None:
    rule = RULES[name]
    exact = not set(rule.kinds) & {"f"}
    if exact and kind in ("not a number", "infinite"):
        pytest.skip("whole numbers are always finite")
    if kind == "huge" and (rule.kinds == "b" or not np.isfinite(rule.high)) and name != "rotations":
        pytest.skip("it has no upper end")
    if kind == "a row less" and rule.shape[0] in ("F", "E"):
        pytest.skip("how many there are belongs to this array alone")
    rewrite(copy, name, CHANGES[kind])
    # Where points are a row short, it is their colours that are too many.
    blamed = "colors|points" if name == "points" else name
    with pytest.raises(GaussianTalkerError, match=f"({blamed}) (has|holds|must)"):
        Capture.load(copy)


@pytest.mark.parametrize("file", ["tracking.npz", "head.npz", "points.npz", "frames.npy", "labels.npy", "plates.npy"])
@pytest.mark.parametrize("seed", range(6))
def test_damaged_bytes_are_one_sentence(copy: Path, captured: Capture, file: str, seed: int) -> None:
    """Bytes are changed in the header, where numpy and zipfile stumble in a dozen ways."""
    rng = np.random.default_rng(seed)
    content = bytearray((copy / file).read_bytes())
    for place in rng.integers(0, 120, 6):
        content[place] = rng.integers(256)
    (copy / file).write_bytes(content)
    try:
        loaded = Capture.load(copy)
    except GaussianTalkerError:
        return
    assert loaded.tracking.landmarks.shape == captured.tracking.landmarks.shape
    assert loaded.images.shape == captured.images.shape


def test_pictures_of_another_shape_and_labels_out_of_range(copy: Path) -> None:
    labels = np.load(copy / "labels.npy")
    np.save(copy / "labels.npy", labels[:, :, :-1])
    record_lengths(copy)
    with pytest.raises(GaussianTalkerError, match="labels.npy holds uint8"):
        Capture.load(copy)
    np.save(copy / "labels.npy", labels + 200)
    record_lengths(copy)
    with pytest.raises(GaussianTalkerError, match="labels.npy must lie between 0 and 3"):
        Capture.load(copy)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("stages",), []),
        (("stages", "tracking"), {"files": {}}),
        (("stages", "ingest", "facts", "frames"), "60"),
        (("stages", "ingest", "facts", "frames"), -1),
        (("stages", "ingest", "facts", "cut"), [[3]]),
        (("stages", "ingest", "facts", "cut"), [[3, 9000]]),
        (("stages", "tracking", "facts", "camera"), None),
        (("stages", "tracking", "facts", "camera", "focal"), -2.0),
        (("stages", "tracking", "facts", "camera", "width"), "wide"),
    ],
)
def test_a_record_that_was_tampered_with_is_one_sentence(copy: Path, path: tuple[str, ...], value: object) -> None:
    record = json.loads((copy / "capture.json").read_text())
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (copy / "capture.json").write_text(json.dumps(record))
    with pytest.raises(GaussianTalkerError):
        Capture.load(copy)


def test_tables_and_poses_that_come_along_are_checked(tmp_path: Path) -> None:
    (tmp_path / "au.csv").write_text("frame, AU45_r\n1, 0.00\n2, nan\n3, 3.50\n")
    with pytest.raises(GaussianTalkerError, match="no number for AU45_r in row 2"):
        adnerf.read_blink(tmp_path / "au.csv", 3)
    entry = {"img_id": 0, "transform_matrix": np.diag([1.0, 1, 1, 1]).tolist()}
    for matrix in ([[1, 2]], np.diag([2.0, 1, 1, 1]).tolist(), np.full((4, 4), np.nan).tolist(), "none", None):
        content = {"focal_len": 1100.0, "frames": [entry | {"transform_matrix": matrix}]}
        (tmp_path / "transforms_train.json").write_text(json.dumps(content))
        with pytest.raises(GaussianTalkerError, match="transforms_train.json is not a list"):
            adnerf.read_poses(tmp_path)
    (tmp_path / "track_params.pt").write_bytes(os.urandom(99))
    with pytest.raises(GaussianTalkerError, match="plain tensors"):
        adnerf.read_poses(tmp_path)


@pytest.mark.parametrize("name", ["head_units", "head_vertices", "identity", "residual", "usual_expression"])
@pytest.mark.parametrize("kind", ["text", "not a number", "an axis more"])
def test_nor_is_the_head_that_was_fitted(copy: Path, name: str, kind: str) -> None:
    rewrite(copy, name, CHANGES[kind])
    with pytest.raises(GaussianTalkerError, match=name):
        Capture.load(copy)
