"""Where the head moves and the eyes blink while the avatar speaks: a stretch of the capture, played to and fro."""

from dataclasses import dataclass, field

import numpy as np

from gaussiantalker.geometry import from_yaw_pitch_roll, rigid, rotation_angle
from gaussiantalker.timing import FPS

LONGEST = 20 * FPS  # frames: what is kept must fit in memory together with its plates
SHORTEST = 8 * FPS
NECK = np.array([0.0, 0.8, 1.0])  # head units: about where the skull sits on the spine
EASE = 0.25  # of what is left to go, per frame and in two stages: a step is over in a third of a second


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
    still: bool = False
    """Holds the motion's own pose."""
    _eased: np.ndarray = field(default_factory=lambda: np.zeros((2, 3)), repr=False)

    def follow(self, limit: float) -> np.ndarray:
        """Degrees [3] to show in the next frame, none beyond the limit."""
        wanted = np.clip(np.nan_to_num([self.yaw, self.pitch, self.roll]), -limit, limit)
        for stage in self._eased:
            stage += EASE * (wanted - stage)
            wanted = stage.copy()
        return wanted


def turned(viewmats: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Poses [B, 4, 4] turned by further yaw, pitch and roll [B, 3] in degrees about where the head sits on the neck."""
    rotations = viewmats[:, :3, :3] @ from_yaw_pitch_roll(degrees)
    shift = (viewmats[:, :3, :3] - rotations) @ NECK
    return rigid(rotations, viewmats[:, :3, 3] + shift)


@dataclass(frozen=True)
class Motion:
    """Poses and blinks of consecutive frames that may be played forwards and backwards without a visible cut."""

    rotations: np.ndarray  # [M, 3, 3] head to camera
    translations: np.ndarray  # [M, 3] head units
    blink: np.ndarray  # [M] 0 open, 1 shut

    def __len__(self) -> int:
        return len(self.blink)

    @property
    def viewmats(self) -> np.ndarray:
        """[M, 4, 4] head to camera."""
        return rigid(self.rotations, self.translations)

    def index(self, frame: int) -> int:
        """Which of the M frames is shown at this frame of a performance of any length: 0 .. M-1 .. 0 .. M-1 ..."""
        period = max(2 * (len(self) - 1), 1)
        phase = frame % period
        return min(phase, period - phase)


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
