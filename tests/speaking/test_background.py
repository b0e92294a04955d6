"""Backgrounds: what can be given, and what is then behind an avatar."""

from dataclasses import replace

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.image import write_image
from gaussiantalker.media.video import write_video
from gaussiantalker.speaking.background import GREEN, Background

PERSON = np.zeros((20, 24, 4), np.uint8)
PERSON[5:15, 6:18] = (200, 100, 50, 255)
PERSON[5, 6:18, 3] = 128


def test_colours_by_name_by_number_and_the_studios_green() -> None:
    for what, colour in {"green": GREEN, "#204060": (32, 64, 96), "white": (255, 255, 255)}.items():
        picture = Background.of(what).behind(PERSON, 0)
        assert (picture[0, 0] == colour).all() and (picture[10, 10] == (200, 100, 50)).all()
        assert np.abs(picture[5, 10].astype(int) - (np.array((200, 100, 50)) + colour) / 2).max() <= 1


def test_a_transparent_background_leaves_the_person() -> None:
    assert Background.of("transparent").behind(PERSON, 3) is PERSON


def test_a_picture_fills_the_frame_by_its_middle(tmp_path) -> None:
    wide = np.zeros((40, 200, 3), np.uint8)
    wide[:, 80:120] = 250
    write_image(tmp_path / "wide.png", wide)
    background = Background.of(tmp_path / "wide.png")
    one = background.behind(PERSON, 0)
    assert one.shape == (20, 24, 3) and one[0, 12, 0] == 250 and one[0, 0, 0] < 20
    np.testing.assert_array_equal(background.filling(24, 20).behind(PERSON, 0), one)


def test_a_film_goes_on_with_the_frames_and_begins_anew(tmp_path) -> None:
    shades = [20, 90, 160, 230]
    write_video(tmp_path / "four.mp4", [np.full((32, 32, 3), shade, np.uint8) for shade in shades])
    film = Background.of(tmp_path / "four.mp4")

    def shade(frame: int) -> int:
        seen = int(film.behind(PERSON, frame)[0, 0, 0])
        return min(range(4), key=lambda k: abs(shades[k] - seen))

    begun = 1_000  # as for a live avatar that has been there for a while
    assert [shade(begun + k) for k in (0, 1, 2, 3, 4, 5, 11, 2, 0)] == [0, 1, 2, 3, 0, 1, 3, 2, 0]


@pytest.mark.parametrize(
    ("name", "words"), [("grue", "neither transparent nor a colour"), ("a.txt", "neither a picture nor a video")]
)
def test_what_is_no_background_is_told(tmp_path, monkeypatch, name: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(GaussianTalkerError, match=words):
        Background.of(name)


def test_backgrounds_are_values() -> None:
    white = Background.of("white")
    assert Background.of(white) is white and replace(white, picture=None).transparent
