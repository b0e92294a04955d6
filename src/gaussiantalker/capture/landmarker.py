"""478 face landmarks and 52 expression scores on one picture, with MediaPipe's published networks.

Pre- and post-processing follow the model cards and the Attention Mesh paper (Grishchenko et al. 2020,
arXiv:2006.10962): a square around the face, turned upright, half as large again as the face, at 256 pixels. Faces are
found with the short-range BlazeFace detector (Bazarevsky et al. 2019, arXiv:1907.05047).
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gaussiantalker import pretrained
from gaussiantalker.capture.blendshapes import INPUT_POINTS
from gaussiantalker.capture.litert import Network
from gaussiantalker.progress import SILENT, Progress

POINTS = 478
_INPUT = 256
_MARGIN = 1.5
_MIN_PRESENCE = 0.5
_EYE_CORNERS = (33, 263)
_SEEN = 128  # pixels that the detector sees
_MIN_SCORE = 0.5
_MIN_OVERLAP = 0.3


@dataclass(frozen=True)
class _Detection:
    """One face in pixels: its box, six key points (eyes, nose, mouth, ears) and a score in [0, 1]."""

    box: np.ndarray  # [4] left, top, right, bottom
    points: np.ndarray  # [6, 2]
    score: float

    @property
    def size(self) -> float:
        return float(max(self.box[2:] - self.box[:2]))


class _FaceDetector:
    """The detector on a whole picture, and where that shows nothing on overlapping squares of it.

    The network sees 128 pixels, so a face smaller than about a tenth of a picture is only found in a part of it.
    """

    def __init__(self, model: bytes) -> None:
        self._network = Network(model)
        self._anchors = _anchors()

    def detect(self, image: np.ndarray) -> list[_Detection]:
        """Faces in uint8 [H, W, 3], best score first."""
        height, width = image.shape[:2]
        short, long = min(height, width), max(height, width)
        found = self._in_square(image, 0.5 * (width - long), 0.5 * (height - long), long)
        side = short
        while not found and side >= max(short // 3, _SEEN):
            for top in _starts(height, side):
                for left in _starts(width, side):
                    found += self._in_square(image, left, top, side)
            side //= 2
        return _merge(found)

    def _in_square(self, image: np.ndarray, left: float, top: float, side: float) -> list[_Detection]:
        scale = side / _SEEN
        if left >= 0 and top >= 0:
            box = (left, top, left + side, top + side)
            picture = Image.fromarray(image).resize((_SEEN, _SEEN), Image.Resampling.BILINEAR, box=box)
        else:
            picture = _letterbox(image, _SEEN)
        tensor = np.asarray(picture, np.float32)[None] / 127.5 - 1
        outputs = self._network(tensor)
        boxes, logits = outputs["regressors"][0], outputs["classificators"][0, :, 0]
        scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        keep = scores > _MIN_SCORE
        boxes, anchors = boxes[keep].reshape(-1, 8, 2), self._anchors[keep]
        centres = (boxes[:, 0] + anchors * _SEEN) * scale + (left, top)
        half = boxes[:, 1] * scale / 2
        points = (boxes[:, 2:] + anchors[:, None] * _SEEN) * scale + (left, top)
        corners = np.concatenate([centres - half, centres + half], axis=1)
        return [_Detection(b, p, float(s)) for b, p, s in zip(corners, points, scores[keep], strict=True)]


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


def _merge(found: list[_Detection]) -> list[_Detection]:
    """Non-maximum suppression in which what overlaps the best box is averaged into it by score."""
    rest = sorted(found, key=lambda d: -d.score)
    faces = []
    while rest:
        near = [d for d in rest if _overlap(rest[0].box, d.box) > _MIN_OVERLAP]
        weights = np.array([d.score for d in near])
        box = np.average([d.box for d in near], axis=0, weights=weights)
        points = np.average([d.points for d in near], axis=0, weights=weights)
        faces.append(_Detection(box, points, rest[0].score))
        taken = {id(d) for d in near}
        rest = [d for d in rest if id(d) not in taken]
    return faces


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner
    return float(inner / union) if union > 0 else 0.0


@dataclass(frozen=True)
class Face:
    """A face in one picture."""

    points: np.ndarray  # [478, 3] pixels; z in the same unit, smaller is nearer, 0 about the middle of the head
    blendshapes: np.ndarray  # [52] in [0, 1], in the order of `blendshapes.NAMES`
    presence: float  # [0, 1], how sure the network is that there is a face

    @property
    def extent(self) -> float:
        """The longer side of the box around the landmarks, in pixels."""
        return float(np.ptp(self.points[:, :2], axis=0).max())


@dataclass(frozen=True)
class _Region:
    """A turned square in a picture, in pixels and radians."""

    centre: np.ndarray  # [2]
    side: float
    angle: float

    def matrix(self) -> np.ndarray:  # [2, 3]
        """From pixels of the upright 256-pixel crop to pixels of the picture."""
        scale = self.side / _INPUT
        c, s = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        turn = np.array([[c, -s], [s, c]])
        return np.concatenate([turn, (self.centre - turn @ [_INPUT / 2, _INPUT / 2])[:, None]], axis=1)


class Landmarker:
    """The largest face of a picture, or with `track` the same face from picture to picture of a video."""

    def __init__(self, *, track: bool = False, progress: Progress = SILENT) -> None:
        """`track` looks first where the face was in the last picture, which is faster and steadier.

        Raises GaussianTalkerError when the model cannot be fetched.
        """
        models = read_task(pretrained.path("face-landmarker", progress))
        self._detector = _FaceDetector(models["face_detector.tflite"])
        self._mesh = Network(models["face_landmarks_detector.tflite"], threads=1)
        self._scores = Network(models["face_blendshapes.tflite"], threads=1)
        self._track = track
        self._last: np.ndarray | None = None  # [478, 2 or 3] the points of the face last seen
        self._lost = False

    def follow(self, points: np.ndarray, lost: bool) -> None:
        """Goes on tracking the face that was last seen at these points [478, 2 or 3], and is lost or is not."""
        self._last, self._lost = points, lost

    def detect(self, image: np.ndarray) -> Face | None:
        """The face in uint8 [H, W, 3], or None. A tracked face that was lost is looked for where it was last seen."""
        face = None
        if self._track and self._last is not None and not self._lost:
            face = self.in_region(image, _region_of_points(self._last))
        if face is None:
            face = min(self.detect_all(image), key=self._strangeness, default=None)
        self._last, self._lost = self._last if face is None else face.points, face is None
        return face

    def _strangeness(self, face: Face) -> float:
        """Least for the largest face, or when one was tracked, for the nearest to it."""
        if self._track and self._last is not None:
            return float(np.linalg.norm(face.points[:, :2].mean(0) - self._last[:, :2].mean(0)))
        return -face.extent

    def detect_all(self, image: np.ndarray) -> list[Face]:
        """All faces, best detection first. A second look, cut by the landmarks of the first, makes each exact."""
        faces = []
        for detection in self._detector.detect(image):
            rough = self.in_region(image, _region_of_detection(detection))
            if rough is not None:
                faces.append(self.in_region(image, _region_of_points(rough.points)) or rough)
        return faces

    def in_region(self, image: np.ndarray, region: _Region) -> Face | None:
        """The face inside one region, or None when the network sees none there."""
        matrix = region.matrix()
        outputs = self._mesh(_upright(image, matrix)[None])
        presence = float(1 / (1 + np.exp(-np.clip(outputs["Identity_1"].ravel()[0], -80, 80))))
        if presence < _MIN_PRESENCE:
            return None
        local = outputs["Identity"].reshape(POINTS, 3).astype(np.float64)
        points = np.empty_like(local)
        points[:, :2] = local[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points[:, 2] = local[:, 2] * region.side / _INPUT
        scores = self._scores(points[None, INPUT_POINTS, :2].astype(np.float32))
        return Face(points.astype(np.float32), next(iter(scores.values())).copy(), presence)


def _upright(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:  # [256, 256, 3] float32 in [0, 1]
    """The crop that `matrix` maps to the picture; what lies outside of it is black."""
    corners = np.array([[0, 0, 1], [_INPUT, 0, 1], [0, _INPUT, 1], [_INPUT, _INPUT, 1]]) @ matrix.T
    # Only the part that is looked at is handed over: the rest of a large picture would cost more than the crop.
    low = np.clip(np.floor(corners.min(0)) - 2, 0, np.array(image.shape[1::-1]) - 1).astype(int)
    high = np.maximum(np.ceil(corners.max(0)).astype(int) + 2, low + 1)
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    moved = matrix - np.array([[0, 0, 1]]) * low[:, None]
    crop = Image.fromarray(part).transform(
        (_INPUT, _INPUT), Image.Transform.AFFINE, tuple(moved.ravel()), Image.Resampling.BILINEAR
    )
    return np.multiply(np.asarray(crop), np.float32(1 / 255), dtype=np.float32)


def _region_of_detection(face: _Detection) -> _Region:
    """The upright square around a detected face; its eyes lie level in it."""
    right_eye, left_eye = face.points[0], face.points[1]
    turn = np.arctan2(*(left_eye - right_eye)[::-1])
    return _Region((face.box[:2] + face.box[2:]) / 2, face.size * _MARGIN, float(turn))


def _region_of_points(points: np.ndarray) -> _Region:
    """The upright square around landmarks [478, 2 or 3]."""
    flat = points[:, :2].astype(np.float64)
    turn = float(np.arctan2(*(flat[_EYE_CORNERS[1]] - flat[_EYE_CORNERS[0]])[::-1]))
    low, high = flat.min(0), flat.max(0)
    return _Region((low + high) / 2, float(max(high - low)) * _MARGIN, turn)


def read_task(path: Path) -> dict[str, bytes]:
    """The files inside a .task bundle, which is a zip archive."""
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}
