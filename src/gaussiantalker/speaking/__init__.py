"""Speaking: an avatar and sound in, pictures with their sound out."""

from gaussiantalker.speaking.avatar import Avatar
from gaussiantalker.speaking.motion import Motion, Steering, calm_stretch
from gaussiantalker.speaking.performance import Performance
from gaussiantalker.speaking.stream import AvatarStream, AvFrame

__all__ = ["Avatar", "AvFrame", "AvatarStream", "Motion", "Performance", "Steering", "calm_stretch"]
