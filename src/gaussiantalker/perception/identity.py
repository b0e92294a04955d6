"""Whether two pictures show the same person, by the embedding of a recognition network (CSIM)."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gaussiantalker import pretrained
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress

_SIDE = 112
# Where recognition networks expect both eyes, the nose and the mouth's corners in their 112-pixel crop, and the
# landmarks that mark those: both irises, the tip of the nose, both corners.
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
_LANDMARKS = (468, 473, 4, 61, 291)


class Identity:
    """SFace (Zhong et al. 2021) as published in the OpenCV model zoo."""

    def __init__(self, progress: Progress = SILENT) -> None:
        """Raises GaussianTalkerError when the network cannot be had."""
        self._network = _network(pretrained.path("face-identity", progress))

    def embedding(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:  # [128], of length 1
        """Of the face with landmarks [478, 2] px in a uint8 picture [H, W, 3]."""
        crop = _aligned(picture, points[list(_LANDMARKS)])
        self._network.setInput(cv2.dnn.blobFromImage(crop))
        found = self._network.forward()[0]
        return found / np.linalg.norm(found)


def _network(path: Path) -> cv2.dnn.Net:
    try:
        return cv2.dnn.readNetFromONNX(str(path))
    except cv2.error:
        raise GaussianTalkerError(f"{path} is not an ONNX file; remove it to fetch it again.") from None


def _aligned(picture: np.ndarray, points: np.ndarray) -> np.ndarray:  # uint8 [112, 112, 3]
    """The picture turned, scaled and moved so that five points [5, 2] px lie nearest to where networks expect them."""
    matrix = _similarity(_TEMPLATE, points)
    data = tuple(matrix.ravel())
    turned = Image.fromarray(picture).transform((_SIDE, _SIDE), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.array(turned)


def _similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:  # [2, 3]
    """The turn, scale and shift that takes points [P, 2] nearest to others in the mean of squares.

    In complex numbers it is target = a source + b, a straight line fitted by least squares.
    """
    z, w = (points @ np.array([1, 1j]) for points in (source, target))
    centred = z - z.mean()
    a = np.vdot(centred, w - w.mean()) / np.vdot(centred, centred)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])
