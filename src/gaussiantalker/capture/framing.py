"""Where in the picture the speaker is: one square around head and shoulders for the whole clip."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaussiantalker.capture.landmarker import Landmarker
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
class Framing:
    """The speaker's crop, and how many other people are in the picture for long."""

    crop: Crop
    others: int


def choose_crop(frames: Iterable[np.ndarray], source: Path, landmarker: Landmarker) -> Framing:
    """The square around the face that is largest and longest in sampled pictures [H, W, 3], with hair and shoulders.

    Raises GaussianTalkerError when there is no face, or none large enough to learn from.
    """
    people: list[list[np.ndarray]] = []
    shape, looked = None, 0
    for image in frames:
        looked, shape = looked + 1, image.shape
        for face in landmarker.detect_all(image):
            box = _box(face.points[:, :2])
            known = next((person for person in people if _same(person[-1], box)), None)
            people.append([box]) if known is None else known.append(box)
    if not people:
        raise GaussianTalkerError(
            f"no face was found in {source} ({looked} pictures looked at); "
            "use a video in which one face is upright, well lit and at least a tenth of the picture high"
        )
    people.sort(key=lambda person: -sum(box[4] for box in person))
    boxes = np.array(people[0])
    height = float(np.median(boxes[:, 4]))
    if height < _MIN_FACE_PIXELS:
        raise GaussianTalkerError(
            f"the face in {source} is only {height:.0f} pixels high; at least {_MIN_FACE_PIXELS} are needed, better 200"
        )
    others = sum(len(person) > _PERSISTENT * looked for person in people[1:])
    return Framing(_square(boxes, height, shape[1], shape[0]), others)


def _box(points: np.ndarray) -> np.ndarray:  # [7]
    """Left, top, right, bottom, face height, and the face's middle x and y of landmarks [478, 2]."""
    height = np.linalg.norm(points[_CHIN] - points[_FOREHEAD])
    return np.array([*points.min(0), *points.max(0), height, *(points[_CHIN] + points[_FOREHEAD]) / 2])


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two boxes, some time apart, are one person: not further than a face, and of like size."""
    return bool(np.linalg.norm(a[5:] - b[5:]) < max(a[4], b[4]) and 0.6 < a[4] / max(b[4], 1e-6) < 1.7)


def _square(boxes: np.ndarray, height: float, width: int, tall: int) -> Crop:
    """Boxes [K, 7] as `_box` gives them."""
    # The inner 98 % of the boxes: one wrong detection must not decide the frame of a whole clip.
    low, high = np.percentile(boxes[:, :2], 1, axis=0), np.percentile(boxes[:, 2:4], 99, axis=0)
    side = max(_SIDE * height, *(high - low + 2 * _ROOM * height))
    largest = min(width, tall)
    side = largest if side > _KEEP_WHOLE * largest else side
    middle_x, middle_y = np.median(boxes[:, 5]), np.median(boxes[:, 6])
    left = np.clip(middle_x - side / 2, high[0] + _ROOM * height - side, low[0] - _ROOM * height)
    top = min(middle_y - _FACE_AT * side, low[1] - _ROOM * height)
    side = int(side)
    return Crop(int(np.clip(left, 0, width - side)), int(np.clip(top, 0, tall - side)), side)
