"""Nothing is written over what is not ours, and that is known before any work."""

import os
from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.audio import write_wav
from gaussiantalker.media.image import read_image, write_image
from gaussiantalker.media.outputs import MARK, check_target, is_ours
from gaussiantalker.media.video import write_video

FRAMES = [np.full((32, 48, 3), 90, np.uint8)] * 3


def test_films_and_pictures_are_known_by_their_note(tmp_path: Path) -> None:
    for name, note in (("ours", MARK), ("theirs", "holiday")):
        write_video(tmp_path / f"{name}.mp4", FRAMES, comment=note)
        for ending in (".png", ".jpg"):
            write_image(tmp_path / f"{name}{ending}", FRAMES[0], note=note)
            assert np.abs(read_image(tmp_path / f"{name}{ending}").astype(int) - 90).max() < 3
    (tmp_path / "ours.txt").touch()
    for path in tmp_path.iterdir():
        assert is_ours(path) == (path.stem == "ours"), path
    assert not is_ours(tmp_path)


def test_a_film_of_another_and_the_input_itself_need_force(tmp_path: Path) -> None:
    ours, theirs, link = tmp_path / "ours.mp4", tmp_path / "theirs.mp4", tmp_path / "link.mp4"
    write_video(ours, FRAMES, comment=MARK)
    write_video(theirs, FRAMES)
    os.link(ours, link)
    check_target(ours, (".mp4",))
    check_target(tmp_path / "new.MP4", (".mp4",), inputs=[ours, "recorded"])
    for path, inputs, words in (
        (theirs, [], "was not written by GaussianTalker"),
        (ours, [ours], "is what is read"),
        (link, [ours], "is what is read"),
    ):
        with pytest.raises(GaussianTalkerError, match=f"{path.name} .*{words}.*--force"):
            check_target(path, (".mp4",), inputs=inputs)
        check_target(path, (".mp4",), inputs=inputs, force=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("folder.mp4", "is a folder: name the file in it"),
        ("a.avi", "ends in .mp4"),
        ("a", "ends in .mp4"),
        ("a.mp4.gif", "ends in .mp4"),
        ("none/a.mp4", "none does not exist: make it first"),
        ("x" * 246 + ".mp4", "is too long"),
        ("é" * 120 + ".mp4", "is too long"),
        ("file/a.mp4", "file does not exist"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_written_is_one_sentence(tmp_path: Path, name: str, words: str, force: bool) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(GaussianTalkerError, match=words) as told:
        check_target(tmp_path / name, (".mp4",), force=force)
    assert len(str(told.value)) < len(str(tmp_path)) + 160


def test_the_longest_name_that_is_taken_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 196 + ".wav")
    check_target(path, (".wav",))
    write_wav(path, np.zeros(10, np.float32))
    assert path.exists()
