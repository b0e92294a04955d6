"""Files are whole or absent; pictures survive."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.errors import Failure, GaussianTalkerError
from gaussiantalker.media import files, image

FULL = Path("/dev/full")


def test_atomic_path_keeps_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    with files.atomic_path(target) as temporary:
        temporary.write_text("old")
        assert not target.exists() and temporary.suffix == ".txt"
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_atomic_path_replaces_a_folder(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with files.atomic_path(tmp_path / "folder") as temporary:
            temporary.mkdir()
            (temporary / text).touch()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["two"]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.skipif(os.name != "posix", reason="only there the system tells which processes live")
def test_what_a_killed_writer_left_goes_when_the_same_name_is_written_again(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    names = [f".film.{os.getppid()}.partial.mp4", f".other.{killed.pid}.partial.mp4"]
    gone = f".film.{killed.pid}.partial"
    for name in (*names, f"{gone}.mp4", f".{gone}.{killed.pid}.partial.mp4"):
        (tmp_path / name).write_text("half")
    with files.atomic_path(tmp_path / "film.mp4") as temporary:
        temporary.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["film.mp4", *names])


def test_a_full_disk_is_a_failure_that_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    target.write_text("old")
    with pytest.raises(Failure, match="is full: make room"), files.atomic_path(target) as temporary:
        temporary.symlink_to(FULL)
        temporary.write_text("new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_place_that_must_not_be_written_is_named(tmp_path: Path, number: int) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(Failure, match=f"{target} cannot be written .*choose another folder"):
        with files.atomic_path(target):
            raise OSError(number, "no")


def test_below_a_file_there_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GaussianTalkerError, match="file cannot be a folder .*name another"):
        files.make_folder(tmp_path / "file")
    with pytest.raises(GaussianTalkerError, match="below cannot be a folder"):
        with files.atomic_path(tmp_path / "file" / "below" / "a.txt"):
            pass
    assert files.make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"


def test_json_returns_and_refuses(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"name": "Zoë", "numbers": [1, 2.5]})
    assert files.read_json(tmp_path / "a.json") == {"name": "Zoë", "numbers": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", float("nan"))
    assert files.read_json(tmp_path / "a.json")["name"] == "Zoë"
    (tmp_path / "b.json").write_text("{half")
    for name in ("b.json", "missing.json"):
        with pytest.raises(GaussianTalkerError, match=name):
            files.read_json(tmp_path / name)


def test_png_keeps_every_bit(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    image.write_image(tmp_path / "a.png", picture)
    assert np.array_equal(image.read_image(tmp_path / "a.png"), picture)
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(GaussianTalkerError, match="not a picture"):
        image.read_image(tmp_path / "b.png")


def test_resize_averages_areas() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    blocks = picture.reshape(10, 4, 15, 4, 3).mean((1, 3))
    assert np.abs(image.resize(picture, (15, 10)) - blocks).max() <= 1
    assert image.resize(picture, (60, 40)) is picture
    assert image.resize(picture, (90, 80)).shape == (80, 90, 3)


def test_what_gets_its_name_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        done.append(("sync", str(os.fstat(descriptor).st_ino)))
        fsync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        done.append(("rename", str(os.stat(old).st_ino)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    files.write_json(tmp_path / "a.json", 1)
    own, folder = (str(path.stat().st_ino) for path in (tmp_path / "a.json", tmp_path))
    assert done == [("sync", own), ("rename", own), ("sync", folder)]


def mutations(data: bytes) -> list[bytes]:
    """The file cut off at many places, and with bytes changed at many others."""
    random = np.random.default_rng(0)
    cut = [data[: int(len(data) * share)] for share in np.linspace(0.01, 0.99, 40)]
    changed = []
    for _ in range(200):
        copy = bytearray(data)
        for place in random.integers(0, len(data), 3):
            copy[place] = random.integers(256)
        changed.append(bytes(copy))
    return cut + changed


@pytest.mark.filterwarnings("ignore")  # numpy says of some damage what it thinks it is
@pytest.mark.parametrize("kind", ["npz", "packed", "npy"])
def test_damaged_arrays_are_arrays_or_one_sentence(tmp_path: Path, kind: str) -> None:
    save, read = {
        "npz": (np.savez, files.read_arrays),
        "packed": (np.savez_compressed, files.read_arrays),
        "npy": (np.save, files.read_array),
    }[kind]
    path = tmp_path / ("a.npy" if kind == "npy" else "a.npz")
    save(path, np.arange(60.0).reshape(20, 3))
    assert np.array_equal(np.ravel(read(path) if kind == "npy" else read(path)["arr_0"]), np.arange(60.0))
    refused = 0
    for data in mutations(path.read_bytes()):
        path.write_bytes(data)
        try:
            read(path)
        except GaussianTalkerError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 40


def test_arrays_of_another_kind_are_one_sentence(tmp_path: Path) -> None:
    np.save(tmp_path / "lone.npy", np.zeros(3))
    np.savez(tmp_path / "many.npz", yaw=np.zeros(3))
    np.save(tmp_path / "pickle.npy", np.array([{}]), allow_pickle=True)
    assert set(files.read_arrays(tmp_path / "many.npz")) == {"yaw"}
    assert isinstance(files.read_array(tmp_path / "lone.npy", mapped=True), np.memmap)
    for read, name, words in (
        (files.read_arrays, "lone.npy", "not a numpy .npz"),
        (files.read_array, "many.npz", "not a numpy .npy"),
        (files.read_array, "pickle.npy", "not a numpy .npy"),
        (files.read_array, "none.npy", "does not exist"),
    ):
        with pytest.raises(GaussianTalkerError, match=words):
            read(tmp_path / name)
    with pytest.raises(GaussianTalkerError, match="lacks the array .*pitch"):
        files.read_arrays(tmp_path / "many.npz", "yaw", "pitch")
