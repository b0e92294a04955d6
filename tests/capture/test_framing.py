"""The crop holds the face wherever it goes, and lies in the picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.capture.framing import choose_crop
from gaussiantalker.capture.landmarker import Face
from gaussiantalker.errors import GaussianTalkerError


@dataclass
class Landmarks:
    """Says where the face is without looking: a box of landmarks around a centre, or nothing."""

    centres: list[tuple[float, float] | None]
    height: float

    def detect_all(self, image: np.ndarray) -> list[Face]:
        centre = self.centres.pop(0)
        return [] if centre is None else [self.face(centre)]

    def face(self, centre: tuple[float, float]) -> Face:
        points = np.tile([*centre, 0.0], (478, 1)).astype(np.float32)
        points[10, 1] -= self.height / 2
        points[152, 1] += self.height / 2
        points[234, 0] -= 0.4 * self.height
        points[454, 0] += 0.4 * self.height
        return Face(points, np.zeros(52), 1.0)


def blank(width: int, height: int, count: int) -> list[np.ndarray]:
    return [np.zeros((height, width, 3), np.uint8)] * count


@given(
    st.integers(200, 2000),
    st.integers(200, 2000),
    st.floats(0.25, 0.75),
    st.floats(0.25, 0.75),
    st.floats(0.1, 0.9),
    st.floats(0, 0.1),
)
def test_crop_holds_the_face(width: int, height: int, x: float, y: float, size: float, sway: float) -> None:
    face = max(size * 0.4 * min(width, height), 49.0)
    centres = [(width * (x + s), height * y) for s in (-sway, 0, sway)]
    crop = choose_crop(blank(width, height, 3), Path("clip"), Landmarks(list(centres), face)).crop
    assert 0 <= crop.left and crop.left + crop.side <= width
    assert 0 <= crop.top and crop.top + crop.side <= height
    assert crop.of(np.zeros((height, width, 3))).shape == (crop.side, crop.side, 3)
    for cx, cy in centres:
        assert crop.left - 1 <= max(cx - 0.4 * face, 0) or crop.side == min(width, height)
        assert crop.top - 1 <= max(cy - face / 2, 0) or crop.side == min(width, height)


def test_portrait_that_is_already_square_is_kept_whole() -> None:
    crop = choose_crop(blank(512, 512, 2), Path("clip"), Landmarks([(256, 260)] * 2, 230)).crop
    assert (crop.left, crop.top, crop.side) == (0, 0, 512)


def test_waist_up_is_cut_to_head_and_shoulders() -> None:
    crop = choose_crop(blank(1080, 1920, 2), Path("clip"), Landmarks([(540, 500)] * 2, 240)).crop
    assert 500 < crop.side < 700 and abs(crop.left + crop.side / 2 - 540) < 2
    assert crop.top + 0.35 * crop.side < 500 < crop.top + 0.6 * crop.side


def test_faceless_and_far_videos_are_refused() -> None:
    with pytest.raises(GaussianTalkerError, match="no face was found in clip"):
        choose_crop(blank(300, 300, 2), Path("clip"), Landmarks([None, None], 100))
    with pytest.raises(GaussianTalkerError, match="only 20 pixels"):
        choose_crop(blank(300, 300, 1), Path("clip"), Landmarks([(150, 150)], 20))


def test_the_larger_and_longer_person_is_framed() -> None:
    class Two(Landmarks):
        def detect_all(self, image: np.ndarray) -> list[Face]:
            guest = Landmarks([], 0.7 * self.height).face((300, 300))
            return [guest, *super().detect_all(image)]

    framing = choose_crop(blank(1920, 1080, 3), Path("clip"), Two([(1300, 500)] * 3, 300))
    assert framing.others == 1
    assert framing.crop.left < 1300 < framing.crop.left + framing.crop.side
