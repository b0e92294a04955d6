"""Where in the picture the speaker is: one square around head and shoulders for the whole clip."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gaussiantalker.capture.reel import Look
from gaussiantalker.errors import GaussianTalkerError

_SIDE = 2.4  # side of the square in face heights (forehead to chin)
_FACE_AT = 0.47  # height of the face's middle in the square, from its top
_ROOM = 0.45  # kept free beside and above the face wherever it goes, in face heights
_KEEP_WHOLE = 0.8  # a square that needs this share of the picture takes the largest one there is
_FOREHEAD, _CHIN = 10, 152
_MIN_FACE_PIXELS = 48
_PERSISTENT = 0.2  # share of the pictures that makes somebody a second person, not an error


@dataclass(frozen=True)
class Crop:
    """A square of the upright source picture, in whole pixels."""

    left: int
    top: int
    side: int

    def of(self, image: np.ndarray) -> np.ndarray:
        return image[self.top : self.top + self.side, self.left : self.left + self.side]


@dataclass(frozen=True)
class FaceBox:
    """A face in one picture."""

    frame: int
    points: np.ndarray  # [478, 2] pixels

    @property
    def height(self) -> float:
        """From forehead to chin, in pixels."""
        return float(np.linalg.norm(self.points[_CHIN] - self.points[_FOREHEAD]))

    @property
    def middle(self) -> np.ndarray:  # [2]
        return (self.points[_CHIN] + self.points[_FOREHEAD]) / 2

    def same(self, other: "FaceBox") -> bool:
        """Whether two, some time apart, are one person: not further than a face, and of like size."""
        near = np.linalg.norm(self.middle - other.middle) < max(self.height, other.height)
        return bool(near) and 0.6 < self.height / max(other.height, 1e-6) < 1.7


@dataclass(frozen=True)
class Person:
    """Somebody who is seen in several pictures."""

    boxes: list[FaceBox] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """How large and how long somebody is in view."""
        return sum(box.height for box in self.boxes)

    def stays(self, looked: int) -> bool:
        """Whether somebody is more than an error among so many pictures."""
        return len(self.boxes) > _PERSISTENT * looked


def people(looks: Iterable[Look]) -> list[Person]:
    """Who is seen in pictures of one shot, largest and longest first."""
    known: list[Person] = []
    for look in looks:
        for points in look.faces:
            box = FaceBox(look.frame, points)
            person = next((person for person in known if person.boxes[-1].same(box)), None)
            known.append(Person([box])) if person is None else person.boxes.append(box)
    return sorted(known, key=lambda person: -person.weight)


def refuse_small(boxes: Sequence[FaceBox], source: Path) -> None:
    """Raises GaussianTalkerError when a face is too small to learn from."""
    height = float(np.median([box.height for box in boxes]))
    if height < _MIN_FACE_PIXELS:
        raise GaussianTalkerError(
            f"The face in {source} is only {height:.0f} pixels high; "
            f"film it at least {_MIN_FACE_PIXELS} high, better 200."
        )


def square(boxes: Sequence[FaceBox], width: int, tall: int) -> Crop:
    """Head and shoulders of somebody, wherever they go in pictures of `width` times `tall` pixels."""
    points = np.stack([box.points for box in boxes])
    height = float(np.median([box.height for box in boxes]))
    # The inner 98 % of the boxes: one wrong detection must not decide the frame of a whole clip.
    low, high = np.percentile(points.min(1), 1, axis=0), np.percentile(points.max(1), 99, axis=0)
    side = max(_SIDE * height, *(high - low + 2 * _ROOM * height))
    largest = min(width, tall)
    side = largest if side > _KEEP_WHOLE * largest else side
    middle_x, middle_y = np.median([box.middle for box in boxes], axis=0)
    left = np.clip(middle_x - side / 2, high[0] + _ROOM * height - side, low[0] - _ROOM * height)
    top = min(middle_y - _FACE_AT * side, low[1] - _ROOM * height)
    side = int(side)
    return Crop(int(np.clip(left, 0, width - side)), int(np.clip(top, 0, tall - side)), side)
