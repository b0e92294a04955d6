"""478 face landmarks and 52 expression scores on one picture, with MediaPipe's published networks.

Pre- and post-processing follow the model cards and the Attention Mesh paper (Grishchenko et al. 2020,
arXiv:2006.10962): a square around the face, turned upright, half as large again as the face, at 256 pixels.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gaussiantalker import pretrained
from gaussiantalker.capture.blendshapes import INPUT_POINTS
from gaussiantalker.capture.detector import Detection, FaceDetector
from gaussiantalker.capture.litert import Network
from gaussiantalker.progress import SILENT, Progress

POINTS = 478
_INPUT = 256
_MARGIN = 1.5
_MIN_PRESENCE = 0.5
_EYE_CORNERS = (33, 263)


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
        self._detector = FaceDetector(models["face_detector.tflite"])
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


def _region_of_detection(face: Detection) -> _Region:
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
