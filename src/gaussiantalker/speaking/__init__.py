"""Speaking: an avatar and sound in, pictures with their sound out."""

from gaussiantalker.speaking.avatar import Avatar
from gaussiantalker.speaking.background import Background
from gaussiantalker.speaking.coefficients import POSE, CoefficientAvatar
from gaussiantalker.speaking.frames import AvFrame, FrameStream
from gaussiantalker.speaking.motion import Motion, Steering, calm_stretch
from gaussiantalker.speaking.performance import SYNTHETIC, Performance
from gaussiantalker.speaking.stream import AvatarStream
from gaussiantalker.speaking.studio import Studio

__all__ = [
    "POSE",
    "SYNTHETIC",
    "AvFrame",
    "Avatar",
    "AvatarStream",
    "Background",
    "FrameStream",
    "Motion",
    "Performance",
    "CoefficientAvatar",
    "Steering",
    "Studio",
    "calm_stretch",
]
