"""Codes are drawn out until rendered lips move as far as the person's, and no further than helps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gaussiantalker.capture.face_mesh import OUTER_EYE_CORNERS
from gaussiantalker.capture.tracking import INNER_LIPS
from gaussiantalker.progress import SILENT
from gaussiantalker.talker.mouth_code import MouthCode
from gaussiantalker.talker.mouth_listener import MouthListener
from gaussiantalker.talker.mouth_reader import Curves, MouthReader
from gaussiantalker.training.lip_range import WIDEST, LipRange, _matched
from gaussiantalker.training.reading import Reading

FRAMES = 300
OPENING = 1 + np.abs(np.random.default_rng(0).normal(size=FRAMES))
CODE = MouthCode(("lip_opening",), np.zeros(1), np.ones(1), np.eye(1))


@dataclass(frozen=True)
class SoftAvatar:
    """Its lips open by a share of the code that it hears; its pictures are that one number."""

    share: float
    listener: Any = None

    def render_capture(self, capture: object, frames: Sequence[int]) -> Iterator[np.ndarray]:
        for frame in frames:
            yield np.array(self.share * self.listener.codes[frame, 0])


class Eyes:
    """Finds a face whose lips are as far apart as the picture says, in four pictures of five."""

    def __init__(self, blind: bool = False):
        self.blind, self.seen = blind, 0

    def detect(self, picture: np.ndarray) -> object:
        self.seen += 1
        if self.blind or self.seen % 5 == 0:
            return None
        points = np.zeros((478, 3))
        points[INNER_LIPS[1], 1], points[OUTER_EYE_CORNERS[1], 0] = picture, 1
        return SimpleNamespace(points=points, blendshapes=np.zeros(52))


def gain_of(share: float, noise: float = 0, **eyes: bool) -> float:
    reader = MouthReader(np.zeros((0, 1), np.float32), Curves(np.zeros((2, 1)), np.zeros((2, 1))), 6)
    listener = MouthListener(None, np.zeros(1, np.float32), CODE, reader)
    frames = np.arange(FRAMES - 50)
    blind = OPENING[frames, None].astype(np.float32)
    tracked = OPENING + noise * np.random.default_rng(1).normal(size=FRAMES)
    reading = Reading(listener, torch.from_numpy(tracked)[:, None], frames, blind)
    capture: Any = SimpleNamespace(images=OPENING)
    return LipRange(capture, reading, Eyes(**eyes)).code_gain(SoftAvatar(share), SILENT)


@pytest.mark.parametrize(("share", "gain"), [(0.9, 1 / 0.9), (1.1, 1.0), (0.5, WIDEST)])
def test_lips_move_as_far_as_the_persons(share: float, gain: float) -> None:
    assert gain_of(share) == pytest.approx(gain, rel=1e-6)


def test_pictures_without_faces_change_nothing() -> None:
    assert gain_of(0.5, blind=True) == 1


@pytest.mark.parametrize(("noise", "gain"), [(0.5, WIDEST), (3, 1)])
def test_what_sound_hardly_tells_is_not_drawn_out(noise: float, gain: float) -> None:
    assert gain_of(0.5, noise) == gain


def test_a_mouth_that_saturates_is_matched_between_what_was_seen() -> None:
    def moves(gain: float) -> float:
        return 0.95 * gain**0.5

    assert moves(_matched(moves)) == pytest.approx(1, abs=0.005)


def test_a_listener_that_is_drawn_out_opens_wider_and_shuts_as_before() -> None:
    curves = Curves(np.linspace(-3, 3, 61)[:, None], np.linspace(-3, 3, 61)[:, None])
    listener = MouthListener(None, np.zeros(1, np.float32), CODE, MouthReader(np.ones((7, 1), np.float32), curves, 2))
    windows = np.array([2, 1, 0.1, 0], np.float32)[:, None, None].repeat(7, axis=1) / 7
    assert listener.reader(windows)[:, 0] == pytest.approx([2, 1, 0.1, 0], rel=1e-5)
    assert listener.drawn_out(1.2).reader(windows)[:, 0] == pytest.approx([2.4, 1.2, 0.102, 0], rel=1e-5)
