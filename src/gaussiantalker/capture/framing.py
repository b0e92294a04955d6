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


@dataclass(frozen=True)
class Crop:
    """A square of the upright source picture, in whole pixels."""

    left: int
    top: int
    side: int

    def of(self, image: np.ndarray) -> np.ndarray:
        return image[self.top : self.top + self.side, self.left : self.left + self.side]


def choose_crop(frames: Iterable[np.ndarray], source: Path, landmarker: Landmarker) -> Crop:
    """The square that holds the largest face of sampled pictures [H, W, 3], with room for hair and shoulders.

    Raises GaussianTalkerError when there is no face, or none large enough to learn from.
    """
    boxes, shape, looked = [], None, 0
    for image in frames:
        looked, shape = looked + 1, image.shape
        face = landmarker.detect(image)
        if face is not None:
            points = face.points[:, :2]
            height = np.linalg.norm(points[_CHIN] - points[_FOREHEAD])
            boxes.append([*points.min(0), *points.max(0), height, *(points[_CHIN] + points[_FOREHEAD]) / 2])
    if not boxes:
        raise GaussianTalkerError(
            f"no face was found in {source} ({looked} pictures looked at); "
            "use a video in which one face is upright, well lit and at least a tenth of the picture high"
        )
    boxes = np.array(boxes)
    height = float(np.median(boxes[:, 4]))
    if height < _MIN_FACE_PIXELS:
        raise GaussianTalkerError(
            f"the face in {source} is only {height:.0f} pixels high; at least {_MIN_FACE_PIXELS} are needed, better 200"
        )
    return _square(boxes, height, shape[1], shape[0])


def _square(boxes: np.ndarray, height: float, width: int, tall: int) -> Crop:
    """Boxes [K, 7]: left, top, right, bottom, face height, and the face's middle x and y."""
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
