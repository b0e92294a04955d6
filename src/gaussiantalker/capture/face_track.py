"""What a face tracker sees in a row of pictures, and how far two such rows lie apart."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gaussiantalker.capture.adnerf import LANDMARKS_68
from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.capture.eyes import BLINKS
from gaussiantalker.capture.face_mesh import OUTER_EYE_CORNERS
from gaussiantalker.capture.landmarker import POINTS, Landmarker
from gaussiantalker.capture.tracking import lip_opening

MOUTH = np.array(LANDMARKS_68[48:])  # the 68-point scheme's outer lip, then inner lip, among the tracker's 478
_BLENDSHAPES = len(NAMES)


@dataclass(frozen=True)
class FaceTrack:
    """The largest face of every picture; rows are NaN where there was none."""

    points: np.ndarray  # [N, 478, 2] px
    blendshapes: np.ndarray  # [N, 52]

    @property
    def found(self) -> np.ndarray:  # bool [N]
        return np.isfinite(self.points[:, 0, 0])

    @property
    def unit(self) -> np.ndarray:  # [N] px
        """Distance between the outer eye corners."""
        return np.linalg.norm(self.points[:, OUTER_EYE_CORNERS[0]] - self.points[:, OUTER_EYE_CORNERS[1]], axis=-1)

    @property
    def lip_opening(self) -> np.ndarray:  # [N]
        return lip_opening(self.points)

    @property
    def blink(self) -> np.ndarray:  # [N] in [0, 1]
        """The tracker's scores for shut eyes, mean of both."""
        return self.blendshapes[:, BLINKS].mean(axis=1)


def track_faces(pictures: Iterable[np.ndarray], landmarker: Landmarker) -> FaceTrack:
    """Looks for the face in each picture uint8 [H, W, 3] by itself, so that no frame inherits another's error."""
    points, blendshapes = [], []
    for picture in pictures:
        face = landmarker.detect(picture)
        points.append(np.full((POINTS, 2), np.nan) if face is None else face.points[:, :2])
        blendshapes.append(np.full(_BLENDSHAPES, np.nan) if face is None else face.blendshapes)
    return FaceTrack(np.array(points).reshape(-1, POINTS, 2), np.array(blendshapes).reshape(-1, _BLENDSHAPES))


def mouth_distance(a: FaceTrack, b: FaceTrack) -> np.ndarray:  # [N] px
    """Landmark distance (LMD; Chen et al. 2018): mean distance of the mouth points after each frame's mean is removed.

    NaN where either picture had no face.
    """
    shape_a, shape_b = (t.points[:, MOUTH] - t.points[:, MOUTH].mean(axis=1, keepdims=True) for t in (a, b))
    return np.linalg.norm(shape_a - shape_b, axis=-1).mean(axis=1)
