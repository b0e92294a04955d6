"""What moves the head, frame by frame."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

AUDIO, EYE = "audio", "eye"


class Drive(NamedTuple):
    """What moves the head in B frames."""

    conditions: dict[str, Tensor]
    """By name: `audio` [B, ...], what the listener gives for each frame; `eye` [B], 0 open to 1 shut; others [B, ...]
    as their tokens take them, and as usual where they are left out."""
    viewmats: Tensor  # [B, 4, 4] head to camera
    frames: Tensor  # [B] numbers in the clip or the performance, which periodic positions count
    articulation: Tensor | float = 1.0  # [B] or one: how far the mouth moves with speech, against what was learnt

    def given(self, **conditions: Tensor) -> "Drive":
        """The same with other conditions, or more."""
        return self._replace(conditions=self.conditions | conditions)

    def to(self, device: torch.device) -> "Drive":
        return self._each(lambda part: part.to(device))

    def at(self, index: Tensor | slice) -> "Drive":
        """Some of the frames."""
        return self._each(lambda part: part[index])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Drive":
        conditions = {name: change(value) for name, value in self.conditions.items()}
        one = self.articulation
        articulation = change(one) if isinstance(one, Tensor) else one
        return Drive(conditions, change(self.viewmats), change(self.frames), articulation)
