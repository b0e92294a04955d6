"""Finds faces in a picture with the short-range BlazeFace detector (Bazarevsky et al. 2019, arXiv:1907.05047)."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from gaussiantalker.capture.litert import Network

_INPUT = 128
_MIN_SCORE = 0.5
_MIN_OVERLAP = 0.3


@dataclass(frozen=True)
class Detection:
    """One face in pixels: its box, six key points (eyes, nose, mouth, ears) and a score in [0, 1]."""

    box: np.ndarray  # [4] left, top, right, bottom
    points: np.ndarray  # [6, 2]
    score: float

    @property
    def size(self) -> float:
        return float(max(self.box[2:] - self.box[:2]))


class FaceDetector:
    """The detector on a whole picture, and where that shows nothing on overlapping squares of it.

    The network sees 128 pixels, so a face smaller than about a tenth of a picture is only found in a part of it.
    """

    def __init__(self, model: bytes) -> None:
        self._network = Network(model)
        self._anchors = _anchors()

    def detect(self, image: np.ndarray) -> list[Detection]:
        """Faces in uint8 [H, W, 3], best score first."""
        height, width = image.shape[:2]
        short, long = min(height, width), max(height, width)
        found = self._in_square(image, 0.5 * (width - long), 0.5 * (height - long), long)
        side = short
        while not found and side >= max(short // 3, _INPUT):
            for top in _starts(height, side):
                for left in _starts(width, side):
                    found += self._in_square(image, left, top, side)
            side //= 2
        return _merge(found)

    def _in_square(self, image: np.ndarray, left: float, top: float, side: float) -> list[Detection]:
        scale = side / _INPUT
        if left >= 0 and top >= 0:
            box = (left, top, left + side, top + side)
            picture = Image.fromarray(image).resize((_INPUT, _INPUT), Image.Resampling.BILINEAR, box=box)
        else:
            picture = _letterbox(image, _INPUT)
        tensor = np.asarray(picture, np.float32)[None] / 127.5 - 1
        outputs = self._network(tensor)
        boxes, logits = outputs["regressors"][0], outputs["classificators"][0, :, 0]
        scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        keep = scores > _MIN_SCORE
        boxes, anchors = boxes[keep].reshape(-1, 8, 2), self._anchors[keep]
        centres = (boxes[:, 0] + anchors * _INPUT) * scale + (left, top)
        half = boxes[:, 1] * scale / 2
        points = (boxes[:, 2:] + anchors[:, None] * _INPUT) * scale + (left, top)
        corners = np.concatenate([centres - half, centres + half], axis=1)
        return [Detection(b, p, float(s)) for b, p, s in zip(corners, points, scores[keep], strict=True)]


def _letterbox(image: np.ndarray, size: int) -> Image.Image:
    """The whole picture in the middle of a black square."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    small = Image.fromarray(image).resize(
        (max(round(width * scale), 1), max(round(height * scale), 1)), Image.Resampling.BILINEAR
    )
    square = Image.new("RGB", (size, size))
    square.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return square


def _starts(length: int, side: int) -> list[int]:
    """Left edges of squares that cover a length and overlap by half."""
    steps = max(int(np.ceil((length - side) / (side / 2))), 0)
    return sorted({round(k * (length - side) / max(steps, 1)) for k in range(steps + 1)})


def _anchors() -> np.ndarray:  # [896, 2]
    """Centres of the detector's boxes in [0, 1]: two for each cell of a 16x16 grid, then six for each of 8x8."""
    grids = []
    for cells, per_cell in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells]
        centres = np.stack([x, y], axis=-1).reshape(-1, 2)
        grids.append(np.repeat((centres + 0.5) / cells, per_cell, axis=0))
    return np.concatenate(grids)


def _merge(found: list[Detection]) -> list[Detection]:
    """Non-maximum suppression in which what overlaps the best box is averaged into it by score."""
    rest = sorted(found, key=lambda d: -d.score)
    faces = []
    while rest:
        near = [d for d in rest if _overlap(rest[0].box, d.box) > _MIN_OVERLAP]
        weights = np.array([d.score for d in near])
        box = np.average([d.box for d in near], axis=0, weights=weights)
        points = np.average([d.points for d in near], axis=0, weights=weights)
        faces.append(Detection(box, points, rest[0].score))
        taken = {id(d) for d in near}
        rest = [d for d in rest if id(d) not in taken]
    return faces


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner
    return float(inner / union) if union > 0 else 0.0
