"""The crop holds the face wherever it goes, and lies in the picture."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.capture.framing import Crop, people, refuse_small, square
from gaussiantalker.errors import GaussianTalkerError


@dataclass
class Look:
    """A picture with faces, of which only the outermost landmarks matter."""

    frame: int = 0
    faces: list[np.ndarray] = field(default_factory=list)


def face(x: float, y: float, height: float) -> np.ndarray:
    points = np.tile([x, y], (478, 1)).astype(np.float32)
    points[10, 1] -= height / 2
    points[152, 1] += height / 2
    points[234, 0] -= 0.4 * height
    points[454, 0] += 0.4 * height
    return points


def framed(faces: list[np.ndarray], width: int, height: int) -> Crop:
    return square(people([Look(k, [points]) for k, points in enumerate(faces)])[0].boxes, width, height)


@given(
    st.integers(200, 2000),
    st.integers(200, 2000),
    st.floats(0.25, 0.75),
    st.floats(0.25, 0.75),
    st.floats(0.1, 0.9),
    st.floats(0, 0.1),
)
def test_crop_holds_the_face(width: int, height: int, x: float, y: float, size: float, sway: float) -> None:
    tall = max(size * 0.4 * min(width, height), 49.0)
    centres = [(width * (x + s), height * y) for s in (-sway, 0, sway)]
    crop = framed([face(*centre, tall) for centre in centres], width, height)
    assert 0 <= crop.left and crop.left + crop.side <= width
    assert 0 <= crop.top and crop.top + crop.side <= height
    assert crop.of(np.zeros((height, width, 3))).shape == (crop.side, crop.side, 3)
    if len(people([Look(0, [face(*centre, tall)]) for centre in centres])) > 1:
        return  # so far in one step goes nobody
    for cx, cy in centres:
        assert crop.left - 1 <= max(cx - 0.4 * tall, 0) or crop.side == min(width, height)
        assert crop.top - 1 <= max(cy - tall / 2, 0) or crop.side == min(width, height)


def test_portrait_that_is_already_square_is_kept_whole() -> None:
    crop = framed([face(256, 260, 230)] * 2, 512, 512)
    assert (crop.left, crop.top, crop.side) == (0, 0, 512)


def test_waist_up_is_cut_to_head_and_shoulders() -> None:
    crop = framed([face(540, 500, 240)] * 2, 1080, 1920)
    assert 500 < crop.side < 700 and abs(crop.left + crop.side / 2 - 540) < 2
    assert crop.top + 0.35 * crop.side < 500 < crop.top + 0.6 * crop.side


def test_faces_that_are_too_small_are_refused() -> None:
    with pytest.raises(GaussianTalkerError, match="only 20 pixels"):
        refuse_small(people([Look(0, [face(150, 150, 20)])])[0].boxes, Path("clip"))


def test_the_larger_and_longer_person_comes_first() -> None:
    looks = [Look(k, [face(300, 300, 210), face(1300, 500, 300)]) for k in range(3)]
    speaker, guest = people(looks)
    assert (speaker.boxes[0].height, guest.boxes[0].height) == (300, 210) and guest.stays(len(looks))
    crop = square(speaker.boxes, 1920, 1080)
    assert crop.left < 1300 < crop.left + crop.side
