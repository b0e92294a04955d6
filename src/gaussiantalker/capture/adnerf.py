"""The poses, colours and names of AD-NeRF's dataset layout, which ER-NeRF, GaussianTalker and others share.

Their head has y up and z out of the face; a rotation is R0 = Rx Ry Rz of three Euler angles with the signs of their
tracker, and a camera sees R0 x + trans along -z. With F = diag(1, -1, -1) that is, in this package's conventions, the
world-to-camera rotation F R0 F and translation F trans.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from gaussiantalker.capture.openface import read_columns
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import read_json

FLIP = np.diag([1.0, -1.0, -1.0])
# Colours of parsing/*.png in RGB order, for background, head, neck and torso.
PARSING_COLOURS = np.array([[255, 255, 255], [0, 0, 255], [0, 255, 0], [255, 0, 0]], np.uint8)
# The 68 points of iBUG among the 478 landmarks: jaw, brows, nose, eyes, outer and inner lips.
LANDMARKS_68 = (
    (127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356)
    + (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
    + (168, 197, 5, 4, 75, 97, 2, 326, 305)
    + (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
    + (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
)
_NOT_A_ROTATION = 1e-2  # by which a row's length, or two rows' product, may be off: files have few digits
_TRANSFORM_SCALE = 10.0  # transforms_*.json hold trans / 10


@dataclass(frozen=True)
class _Poses:
    """World-to-camera poses of numbered frames in this package's axes, lengths still in the dataset's own unit."""

    focal: float  # pixels of the dataset's pictures
    frames: np.ndarray  # [K] int
    rotations: np.ndarray  # [K, 3, 3]
    translations: np.ndarray  # [K, 3]


def _from_tracker(euler: np.ndarray, trans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations [N, 3, 3] and translations [N, 3] of the tracker's Euler angles (radians) and trans, both [N, 3]."""
    turned = Rotation.from_euler("XYZ", euler * (-1, -1, 1)).as_matrix()
    return FLIP @ turned @ FLIP, trans @ FLIP


def to_tracker(rotations: np.ndarray, translations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `_from_tracker`."""
    euler = Rotation.from_matrix(FLIP @ rotations @ FLIP).as_euler("XYZ") * (-1, -1, 1)
    return euler, translations @ FLIP


def _from_transform(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of camera-to-world matrices [N, 4, 4] as transforms_*.json hold them."""
    inverse = np.linalg.inv(matrices)
    return FLIP @ inverse[:, :3, :3] @ FLIP, _TRANSFORM_SCALE * inverse[:, :3, 3] @ FLIP


def to_transform(rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:  # [N, 4, 4]
    """The inverse of `_from_transform`."""
    matrices = np.tile(np.eye(4), (len(rotations), 1, 1))
    matrices[:, :3, :3] = FLIP @ rotations @ FLIP
    matrices[:, :3, 3] = translations @ FLIP / _TRANSFORM_SCALE
    return np.linalg.inv(matrices)


def read_poses(folder: Path) -> _Poses:
    """Of track_params.pt, or without it of transforms_*.json. Raises GaussianTalkerError when there is neither."""
    if (folder / "track_params.pt").exists():
        return _read_track_params(folder / "track_params.pt")
    files = sorted(folder.glob("transforms_*.json"))
    if not files:
        raise GaussianTalkerError(f"{folder} has neither track_params.pt nor transforms_*.json; run its tracker first.")
    entries, focal = {}, None
    for file in files:
        content = read_json(file)
        try:
            focal = float(content["focal_len"])
            entries |= {int(frame["img_id"]): np.array(frame["transform_matrix"], float) for frame in content["frames"]}
            index = np.array(sorted(entries))
            matrices = np.stack([entries[k] for k in index])
            if matrices.shape[1:] != (4, 4) or not _rigid(matrices[:, :3, :3]):
                raise ValueError("transform_matrix is no rigid motion")
            poses = _Poses(focal, index, *_from_transform(matrices))
        except (KeyError, TypeError, ValueError, OverflowError, np.linalg.LinAlgError) as error:
            raise GaussianTalkerError(f"{file} is not a list of AD-NeRF poses ({error!r}); track it again.") from None
    return _checked(poses, folder)


def _rigid(rotations: np.ndarray) -> bool:
    """Whether matrices [K, 3, 3] turn and do nothing else."""
    products = rotations @ np.swapaxes(rotations, 1, 2)
    return bool(np.abs(products - np.eye(3)).max() < _NOT_A_ROTATION) and bool((np.linalg.det(rotations) > 0).all())


def _checked(poses: _Poses, source: Path) -> _Poses:
    """The poses, when all of their numbers can be true."""
    finite = np.isfinite(poses.rotations).all() and np.isfinite(poses.translations).all()
    if not finite or not 1 < poses.focal < 1e6:
        raise GaussianTalkerError(f"The poses in {source} are not finite or have no focal length; track it again.")
    if (poses.translations[:, 2] <= 0).any():
        raise GaussianTalkerError(f"The poses in {source} put the head behind the camera; track it again.")
    return poses


def _read_track_params(path: Path) -> _Poses:
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        euler, trans = (np.asarray(content[key], dtype=float) for key in ("euler", "trans"))
        focal = np.asarray(content["focal"], dtype=float)
        if focal.shape not in ((), (1,)):
            raise ValueError(f"focal {focal.shape} is not one number")
        if euler.ndim != 2 or euler.shape[1] != 3 or euler.shape != trans.shape or not len(euler):
            raise ValueError(f"euler {euler.shape} and trans {trans.shape} are not [frames, 3]")
        if not (np.isfinite(euler).all() and np.isfinite(trans).all()):
            raise ValueError("they are not finite")
        poses = _Poses(float(focal.sum()), np.arange(len(euler)), *_from_tracker(euler, trans))
    except Exception as error:  # of torch and its unpickler, which have a dozen kinds for damaged bytes
        told = str(error).partition("\n")[0][:120]
        raise GaussianTalkerError(
            f"{path} does not hold a tracker's poses as plain tensors ({told}); run the tracker again."
        ) from None
    return _checked(poses, path)


def read_blink(path: Path, frames: int) -> np.ndarray:  # [frames] float32 in [0, 1]
    """Eye closure from OpenFace's au.csv: AU45_r, clipped at 2 and halved, as the papers do.

    The last value is held where the file is short. Raises GaussianTalkerError when there is no such column.
    """
    values = read_columns(path, ["AU45_r"])[:, 0]
    index = np.minimum(np.arange(frames), len(values) - 1)
    return (np.clip(values[index], 0, 2) / 2).astype(np.float32)
