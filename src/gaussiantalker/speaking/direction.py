"""Directing a performance: which way the head moves and when the eyes shut, said beforehand, also by a table of angles
or the movements of another capture."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import from_yaw_pitch_roll, rigid
from gaussiantalker.media.tables import read_table
from gaussiantalker.speaking.motion import NECK, Motion, steps_between
from gaussiantalker.timing import FPS

Pose = str | Path | np.ndarray
Blink = str | float
_Lids = Callable[[np.ndarray], np.ndarray]  # frames [B] to how far the eyes are shut in them [B]
MEDIAN_SECONDS, SPREAD, SHORTEST_SECONDS = 3.0, 0.5, 0.8
"""Between blinks; log-normal, 18 a minute: at rest people blink 17 times, in talk 26 (Bentivoglio et al. 1997)."""
_CLOSING = np.array([0.3, 0.85, 1.0, 1.0, 0.75, 0.5, 0.3, 0.15, 0.05])  # at 25 a second: shut faster than opened
ANGLES, PLACE = ("yaw", "pitch", "roll"), ("x", "y", "z")
_WIDEST = 60.0  # degrees; a head filmed from the front has nothing to show beyond


def directed(motion: Motion, pose: Pose, blink: Blink) -> Motion:
    """The avatar's motion with other poses and blinks.

    `pose`: "recorded", "still", a file as `read_poses` takes it, or degrees [F, 3] (yaw, pitch, roll). Poses that
    end before the sound does are played to and fro, or in a ring where the last leads to the first.
    `blink`: "recorded", "auto" (at human rates), or how far the eyes are shut, 0 to 1.

    Raises:
        GaussianTalkerError: a file that cannot be used, or a value that means nothing.
    """
    lids = _lids(motion, blink)
    rest = motion.viewmats[motion.rest]
    if isinstance(pose, np.ndarray):
        if pose.ndim != 2 or pose.shape[1] != 3 or not len(pose):
            raise GaussianTalkerError(f"A pose cannot have the shape {list(pose.shape)}: give degrees [frames, 3].")
        return _along(_posed(pose, np.zeros_like(pose), rest), lids)
    if pose == "recorded":
        return replace(motion, lids=None if blink == "recorded" else lids)
    if pose == "still":
        return _along(rest[None], lids)
    return _along(read_poses(pose, rest), lids)


def _along(viewmats: np.ndarray, lids: _Lids) -> Motion:
    motion = Motion(viewmats[:, :3, :3], viewmats[:, :3, 3], np.zeros(len(viewmats)), lids=lids)
    gap = steps_between(viewmats[-1:], viewmats[:1])[0]
    return replace(motion, closed=bool(len(motion) > 1 and gap <= motion.largest_step()))


def _lids(motion: Motion, blink: Blink) -> _Lids:
    """Blinks [B] of frames [B] of a performance."""
    if blink == "recorded":
        return motion.blink_at
    if blink == "auto":
        return _Blinks(float(np.median(motion.blink)), float(motion.blink.max()))
    try:
        value = float(blink)
    except (TypeError, ValueError):
        value = np.nan
    if not 0 <= value <= 1:
        raise GaussianTalkerError(f"There is no blink {blink!r}: give auto, recorded, or a number from 0 (open) to 1.")
    return lambda frames: np.full(len(frames), value)


class _Blinks:
    """The blink at any frame of a performance of any length; the same for the same seed."""

    def __init__(self, opened: float, shut: float, seed: int = 0):
        """`opened` and `shut` are what the person's eyes show when they are, in [0, 1]."""
        self.opened, self.shut = opened, shut
        self._random = np.random.default_rng(seed)
        self._starts = [self._pause()]

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Blinks [B] of frames [B]."""
        while self._starts[-1] <= np.max(frames, initial=0):
            self._starts.append(self._starts[-1] + len(_CLOSING) + self._pause())
        starts = np.array(self._starts)
        since = frames - np.concatenate([[-len(_CLOSING)], starts])[np.searchsorted(starts, frames, side="right")]
        lids = np.append(_CLOSING, 0.0)[np.clip(since, 0, len(_CLOSING))]
        return self.opened + (self.shut - self.opened) * lids

    def _pause(self) -> int:
        seconds = MEDIAN_SECONDS * np.exp(SPREAD * self._random.standard_normal())
        return round(max(seconds, SHORTEST_SECONDS) * FPS)


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
    if path.suffix.lower() not in (".csv", ".npz"):
        raise GaussianTalkerError(
            f"{path} is neither .csv nor .npz nor a capture's folder: poses come as one of these."
        )
    columns = read_table(path, "name its columns yaw, pitch and roll, or so the arrays of an .npz", *ANGLES, *PLACE)
    missing = [name for name in ANGLES if name not in columns]
    if missing:
        raise GaussianTalkerError(f"{path} has no {missing[0]}: poses need the columns yaw, pitch, roll in degrees.")
    degrees = np.stack([columns[name] for name in ANGLES], axis=-1)
    if not len(degrees):
        raise GaussianTalkerError(f"{path} holds no frames: give at least one.")
    place = np.stack([columns.get(name, np.zeros(len(degrees))) for name in PLACE], axis=-1)
    return _posed(degrees, place, rest, str(path))


def _posed(degrees: np.ndarray, place: np.ndarray, rest: np.ndarray, name: str = "The pose") -> np.ndarray:
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


def _of_capture(path: Path, rest: np.ndarray) -> np.ndarray:
    from gaussiantalker.capture import Capture

    tracking = Capture.load(path).tracking
    moves = tracking.translations - np.median(tracking.translations, axis=0)
    return rigid(tracking.rotations, rest[:3, 3] + moves)
