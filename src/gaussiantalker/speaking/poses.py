"""Head poses that a user brings: a table of angles, or the movements of another capture."""

from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import from_yaw_pitch_roll, rigid
from gaussiantalker.media.files import read_arrays
from gaussiantalker.speaking.motion import NECK

ANGLES, PLACE = ("yaw", "pitch", "roll"), ("x", "y", "z")
_WIDEST = 60.0  # degrees; a head filmed from the front has nothing to show beyond


def read_poses(path: str | Path, rest: np.ndarray) -> np.ndarray:
    """Poses [F, 4, 4] at 25 a second for an avatar whose head usually stands at `rest` [4, 4].

    A `.csv` (first line: names) or `.npz` file holds yaw, pitch and roll in degrees, 0 facing the camera, positive
    towards the picture's left, downwards and clockwise; and, where the head shall also move, x, y and z in distances of
    the outer eye corners from its usual place, to the picture's right, downwards and away. Without these it turns
    on its neck. A capture's folder lends its person's movements.

    Raises:
        GaussianTalkerError: no such file, another format, a column is missing, or a value no head can show.
    """
    path = Path(path)
    if not path.exists():
        raise GaussianTalkerError(f"{path} does not exist: give recorded, still, a .csv or .npz file or a capture.")
    if path.is_dir() or path.name == "tracking.npz":
        return _of_capture(path if path.is_dir() else path.parent, rest)
    columns = {".csv": _csv, ".npz": _npz}.get(path.suffix.lower(), _unknown)(path)
    missing = [name for name in ANGLES if name not in columns]
    if missing:
        raise GaussianTalkerError(f"{path} has no {missing[0]}: poses need the columns yaw, pitch, roll in degrees.")
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1 or not min(lengths):
        raise GaussianTalkerError(f"{path} must hold the same number of frames, at least one, in every column.")
    place = np.stack([columns.get(name, np.zeros(max(lengths))) for name in PLACE], axis=-1)
    return posed(np.stack([columns[name] for name in ANGLES], axis=-1), place, rest, str(path))


def posed(degrees: np.ndarray, place: np.ndarray, rest: np.ndarray, name: str = "The pose") -> np.ndarray:
    """Poses [F, 4, 4] of yaw, pitch and roll [F, 3] in degrees and moves [F, 3] away from the pose `rest` [4, 4]."""
    if not (np.isfinite(degrees).all() and np.isfinite(place).all()):
        raise GaussianTalkerError(f"{name} holds values that are not finite: every frame needs all its angles.")
    if np.abs(degrees).max() > _WIDEST:
        raise GaussianTalkerError(
            f"{name} turns the head by {np.abs(degrees).max():.0f} degrees: give angles from -{_WIDEST:.0f} to "
            f"{_WIDEST:.0f} in degrees; 0 looks into the camera."
        )
    if np.abs(place).max() > 1:
        raise GaussianTalkerError(
            f"{name} moves the head by {np.abs(place).max():.1f} eye distances: x, y and z count from its usual place, "
            "from -1 to 1."
        )
    rotations = from_yaw_pitch_roll(degrees)
    return rigid(rotations, rest[:3, 3] + (rest[:3, :3] - rotations) @ NECK + place)


def _csv(path: Path) -> dict[str, np.ndarray]:
    try:
        lines = [line.split(",") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        values = np.array(lines[1:], dtype=float).reshape(len(lines) - 1, len(lines[0]))
        return {name.strip().lower(): column for name, column in zip(lines[0], values.T, strict=True)}
    except (OSError, ValueError, IndexError):
        raise GaussianTalkerError(
            f"{path} is not a table of numbers: the first line names the columns (yaw,pitch,roll), others are frames."
        ) from None


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        arrays = read_arrays(path)
        columns = {name: np.asarray(arrays[name], dtype=float) for name in ANGLES + PLACE if name in arrays}
        if any(column.ndim != 1 for column in columns.values()):
            raise ValueError
        return columns
    except (GaussianTalkerError, ValueError, TypeError):
        raise GaussianTalkerError(f"{path} is not an .npz file with the arrays yaw, pitch and roll [frames].") from None


def _unknown(path: Path) -> dict[str, np.ndarray]:
    raise GaussianTalkerError(f"{path} is neither .csv nor .npz nor a capture's folder: poses come as one of these.")


def _of_capture(path: Path, rest: np.ndarray) -> np.ndarray:
    from gaussiantalker.capture import Capture

    tracking = Capture.load(path).tracking
    moves = tracking.translations - np.median(tracking.translations, axis=0)
    return rigid(tracking.rotations, rest[:3, 3] + moves)
