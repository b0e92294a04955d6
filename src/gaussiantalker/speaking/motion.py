"""Where the head moves and the eyes blink while the avatar speaks, and how somebody may steer it meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from gaussiantalker.geometry import from_yaw_pitch_roll, rigid, rotation_angle, yaw_pitch_roll
from gaussiantalker.speaking.background import Background
from gaussiantalker.talker import Torso
from gaussiantalker.talker.torso import slow_part
from gaussiantalker.timing import FPS

LONGEST = 20 * FPS  # frames: what is kept must fit in memory together with its plates
SHORTEST = 8 * FPS
NECK = np.array([0.0, 0.8, 1.0])  # head units: about where the skull sits on the spine
UNSEEN = 6.0  # degrees beyond the recorded range that a head may turn before its unfilmed sides show
EASE = 0.25  # of what is left to go, per frame and in two stages: a step is over in a third of a second
EASE_LIDS = 0.6
ARTICULATION_LIMIT = 2.0  # times what was learnt
_CODE_WEIGHT = 0.02  # of a deviation of a body code against a radian or a head unit, where two frames are compared
_BLENDS = (FPS, 2 * FPS, 4 * FPS)  # frames over which a loop's end may fade into its beginning


@dataclass
class _Override:
    """What is shown in the place of the avatar's own: it comes and goes smoothly."""

    share: float = 0.0
    value: Any = 0.0

    def follow(self, own: Any, given: Any) -> Any:
        """Goes on by one frame: what to show in it where something is `given`, or None, and the own would be this."""
        self.share += EASE_LIDS * ((given is not None) - self.share)
        if given is not None:
            self.value = self.value + EASE_LIDS * (np.nan_to_num(given) - self.value)
        return (1 - self.share) * own + self.share * self.value


@dataclass
class Steering:
    """Live control of an avatar, for one performance. Set the attributes at any time, from any thread.

    Angles in degrees are added to the motion's own pose, about the head's axes: a positive yaw turns the face to the
    picture's left, a positive pitch downwards, a positive roll clockwise. What is shown follows smoothly.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    blink: float | None = None
    """0 open to 1 shut; None leaves the motion's own."""
    articulation: float = 1.0
    """How far the mouth moves with speech, against the avatar's own; 0 not at all."""
    mouth: np.ndarray | None = None
    """A mouth code [C] (see `speaking.mouths.held`) that is shown whatever is said; None leaves what is heard."""
    background: Background | None = None
    """What is behind the avatar; None leaves its own."""
    still: bool = False
    """Holds the head in the motion's usual pose, to which the angles are still added."""
    _eased: np.ndarray = field(default_factory=lambda: np.zeros((2, 4)), repr=False)
    _lids: _Override = field(default_factory=_Override, repr=False)
    _mouth: _Override = field(default_factory=_Override, repr=False)

    def follow(self, limit: float) -> tuple[np.ndarray, float]:
        """Goes on by one frame: degrees [3] to show in it, none beyond the limit, and how still the head is, 0 to 1."""
        wanted = np.nan_to_num([self.yaw, self.pitch, self.roll])
        target = np.append(np.clip(wanted, -limit, limit), float(self.still))
        for stage in self._eased:
            stage += EASE * (target - stage)
            target = stage.copy()
        return target[:3], float(target[3])

    def lids(self, own: float) -> float:
        """Goes on by one frame: the blink to show in it where the motion's own would be this one."""
        return float(self._lids.follow(own, None if self.blink is None else np.clip(self.blink, 0, 1)))

    def lips(self, heard: np.ndarray) -> np.ndarray:
        """Goes on by one frame: what moves the mouth [...] in it where this is heard [...]."""
        return self._mouth.follow(heard, self.mouth)


def turned(viewmats: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Poses [B, 4, 4] turned by further yaw, pitch and roll [B, 3] in degrees about where the head sits on the neck."""
    rotations = viewmats[:, :3, :3] @ from_yaw_pitch_roll(degrees)
    shift = (viewmats[:, :3, :3] - rotations) @ NECK
    return rigid(rotations, viewmats[:, :3, 3] + shift)


def between(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Poses [B, 4, 4] that lie these shares [B] of the way from `start` to `end`, both [B, 4, 4]."""
    first, last = (Rotation.from_matrix(pose[:, :3, :3]) for pose in (start, end))
    way = Rotation.from_rotvec((first.inv() * last).as_rotvec() * share[:, None])
    return rigid((first * way).as_matrix(), start[:, :3, 3] + share[:, None] * (end - start)[:, :3, 3])


@dataclass(frozen=True)
class Motion:
    """Poses and blinks of consecutive frames, from which a performance of any length can be made without a cut."""

    rotations: np.ndarray  # [M, 3, 3] head to camera
    translations: np.ndarray  # [M, 3] head units
    blink: np.ndarray  # [M] 0 open, 1 shut
    closed: bool = False
    """Whether the last frame is followed by the first; otherwise the frames are played to and fro."""
    lids: Callable[[np.ndarray], np.ndarray] | None = None
    """Blinks [B] of frames [B] of the performance, where they are not those of `blink`."""
    body: np.ndarray | None = None
    """[M, K] codes of the torso; None where it has none, or where nobody has said what the body does."""

    def __len__(self) -> int:
        return len(self.blink)

    @cached_property
    def viewmats(self) -> np.ndarray:
        """[M, 4, 4] head to camera."""
        return rigid(self.rotations, self.translations)

    @cached_property
    def sway(self) -> np.ndarray:
        """[M, 4, 4] the slow part of the poses, which the body shares."""
        return slow_part(self.viewmats, mode="wrap" if self.closed else "reflect")

    @cached_property
    def rest(self) -> int:
        """The frame whose pose is the most usual."""
        return int(np.square(self.viewmats - np.median(self.viewmats, axis=0)).sum(axis=(1, 2)).argmin())

    @cached_property
    def _range(self) -> tuple[np.ndarray, np.ndarray]:
        angles = yaw_pitch_roll(self.rotations)
        return angles.min(axis=0) - UNSEEN, angles.max(axis=0) + UNSEEN

    def seen(self, viewmats: np.ndarray, degrees: np.ndarray) -> np.ndarray:
        """Of further degrees [B, 3] for these poses [B, 4, 4], as many as show little that the motion never showed."""
        own = yaw_pitch_roll(viewmats[:, :3, :3])
        return np.clip(own + degrees, *self._range) - own

    def index(self, frame: int) -> int:
        """Which of the M frames is shown at this frame of a performance of any length."""
        if self.closed:
            return frame % len(self)
        period = max(2 * (len(self) - 1), 1)
        phase = frame % period
        return min(phase, period - phase)

    def with_body(self, torso: Torso | None) -> "Motion":
        """The same with codes for the torso: where there are none yet, what it usually does under these poses."""
        if torso is None or self.body is not None:
            return self
        return replace(self, body=guessed(torso, self.viewmats, self.sway))

    def indices(self, frames: np.ndarray) -> np.ndarray:
        return np.array([self.index(int(frame)) for frame in frames], dtype=int)

    def blink_at(self, frames: np.ndarray) -> np.ndarray:
        """Blinks [B] at frames [B] of a performance."""
        return self.lids(frames) if self.lids else self.blink[self.indices(frames)]

    def looped(self) -> "Motion":
        """The same as a ring: the end fades into the beginning where the two resemble each other most.

        The fade is as long as it must be for the head to move no faster in it than it ever does; where even the
        longest is too short, or the motion is, it stays one that is played to and fro.
        """
        for blend in _BLENDS:
            if len(self) < 4 * blend:
                break
            ring = self._ring(blend)
            if ring.largest_step() <= self.largest_step() and ring.largest_sway() <= self.largest_sway():
                return ring
        return self

    @property
    def codes(self) -> np.ndarray:
        """What the body does [N, K], of a motion that knows it."""
        assert self.body is not None
        return self.body

    def largest_step(self) -> float:
        """How far the head goes from one frame to the next at most: radians and head units added up."""
        after = np.roll(self.viewmats, -1, axis=0) if self.closed else self.viewmats[1:]
        steps = steps_between(self.viewmats[: len(after)], after)
        return float(steps.max(initial=0.0))

    def largest_sway(self) -> float:
        """How far the body's code goes from one frame to the next at most."""
        if self.body is None:
            return 0.0
        after = np.roll(self.body, -1, axis=0) if self.closed else self.body[1:]
        return float(np.linalg.norm(after - self.body[: len(after)], axis=1).max(initial=0.0))

    def _ring(self, blend: int) -> "Motion":
        """Of all rings over at least half the motion the one that closes best; `blend` frames fade."""
        quarter = len(self) // 4
        starts = np.arange(0, quarter, max(1, quarter // 300))
        stops = len(self) - blend - starts
        seen = self.viewmats[:, :3].reshape(len(self), -1)
        if self.body is not None:
            seen = np.concatenate([seen, _CODE_WEIGHT * self.body], axis=1)
        looks = [np.concatenate([seen[at + k] for k in (0, blend // 2, blend - 1)], axis=1) for at in (starts, stops)]
        first, last = np.unravel_index(cdist(looks[0], looks[1]).argmin(), (len(starts), len(stops)))
        start, stop = starts[first], stops[last]
        k = np.arange(blend)
        share = (k + 1) / (blend + 1)
        share = share * share * (3 - 2 * share)
        poses, blink = self.viewmats[start:stop].copy(), self.blink[start:stop].copy()
        poses[:blend] = between(self.viewmats[stop + k], self.viewmats[start + k], share)
        blink[:blend] = (1 - share) * self.blink[stop + k] + share * self.blink[start + k]
        body = None if self.body is None else self.body[start:stop].copy()
        if body is not None:
            body[:blend] += (1 - share)[:, None] * (self.codes[stop + k] - body[:blend])
        return Motion(poses[:, :3, :3], poses[:, :3, 3], blink, closed=True, body=body)


def guessed(torso: Torso, viewmats: np.ndarray, sway: np.ndarray) -> np.ndarray:
    """Codes [B, K] of the torso as it usually is under poses and their slow parts, both [B, 4, 4]."""
    poses = (torch.from_numpy(part).float().to(torso.background.device) for part in (viewmats, sway))
    with torch.inference_mode():
        return torso.guess(*poses).cpu().numpy()


def steps_between(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far apart poses [B, 4, 4] are: radians and head units added up, [B]."""
    turn = rotation_angle(before[:, :3, :3], after[:, :3, :3])
    return turn + np.linalg.norm(after[:, :3, 3] - before[:, :3, 3], axis=-1)


def calm_stretch(rotations: np.ndarray, translations: np.ndarray) -> tuple[int, int]:
    """First and last-but-one frame of the stretch of poses [N, 3, 3] and [N, 3] that turns round most gently.

    Played to and fro, motion reverses at both ends, which goes unseen where the head all but rests.
    """
    frames = len(translations)
    if frames <= SHORTEST:
        return 0, frames
    speed = rotation_angle(rotations[:-1], rotations[1:]) + np.linalg.norm(np.diff(translations, axis=0), axis=-1)
    speed = np.convolve(np.pad(speed, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    speed = np.append(speed, speed[-1])
    best, stretch = np.inf, (0, frames)
    for start in range(frames - SHORTEST):
        stops = np.arange(start + SHORTEST, min(start + LONGEST, frames) + 1)
        ends = speed[stops - 1]
        stop = int(stops[ends.argmin()])
        if speed[start] + ends.min() < best:
            best, stretch = speed[start] + ends.min(), (start, stop)
    return stretch
