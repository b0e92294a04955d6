"""Directing a performance: which way the head moves and when the eyes shut, said beforehand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speaking.motion import Motion, steps_between
from gaussiantalker.speaking.poses import posed, read_poses
from gaussiantalker.timing import FPS

Pose = str | Path | np.ndarray
Blink = str | float
_Lids = Callable[[np.ndarray], np.ndarray]  # frames [B] to how far the eyes are shut in them [B]
MEDIAN_SECONDS, SPREAD, SHORTEST_SECONDS = 3.0, 0.5, 0.8
"""Between blinks; log-normal, 18 a minute: at rest people blink 17 times, in talk 26 (Bentivoglio et al. 1997)."""
_CLOSING = np.array([0.3, 0.85, 1.0, 1.0, 0.75, 0.5, 0.3, 0.15, 0.05])  # at 25 a second: shut faster than opened


def directed(motion: Motion, pose: Pose, blink: Blink) -> Motion:
    """The avatar's motion with other poses and blinks.

    `pose`: "recorded", "still", a file as `poses.read_poses` takes it, or degrees [F, 3] (yaw, pitch, roll). Poses that
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
        return _along(posed(pose, np.zeros_like(pose), rest), lids)
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
        return Blinks(float(np.median(motion.blink)), float(motion.blink.max()))
    try:
        value = float(blink)
    except (TypeError, ValueError):
        value = np.nan
    if not 0 <= value <= 1:
        raise GaussianTalkerError(f"There is no blink {blink!r}: give auto, recorded, or a number from 0 (open) to 1.")
    return lambda frames: np.full(len(frames), value)


class Blinks:
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
