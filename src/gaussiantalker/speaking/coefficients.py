"""What moves an avatar, in numbers, for those who draw it themselves."""

from collections.abc import Iterator

import numpy as np
import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speaking.avatar import Avatar
from gaussiantalker.speaking.motion import Steering
from gaussiantalker.talker import Listener

POSE = 12  # numbers of a head's pose before the camera, the upper three rows of its matrix


class CoefficientAvatar:
    """Speaks as its avatar does, but gives of each frame what its picture would be drawn from: a few dozen numbers.

    They are, in this order, the head's pose [3, 4], the coefficients of its blendshapes [K] (docs/blendshapes.md),
    and the torso's code [J] (docs/torso.md).
    """

    def __init__(self, avatar: Avatar):
        """Raises GaussianTalkerError for an avatar that is not all blendshapes."""
        if not avatar.blendshapes or not avatar.torso:
            raise GaussianTalkerError("This avatar can only be shown as pictures: it has no blendshapes, or no torso.")
        self._avatar = avatar

    @property
    def listener(self) -> Listener:
        return self._avatar.listener

    @torch.inference_mode()
    def perform(
        self, heard: np.ndarray, first: float, steering: Steering | None = None, step: float = 1
    ) -> Iterator[np.ndarray]:
        """Numbers float32 [12 + K + J] for what is heard [k, ...] in the frames `first`, `first + step` and so on."""
        talker = self._avatar.talker
        for take in self._avatar.takes(heard, first, steering, step):
            drive = take.drive.to(talker.device)
            assert take.body is not None  # there is a torso
            parts = (
                drive.viewmats[:, :3].flatten(1),
                self._avatar.shapes.coefficients(talker.conditions(drive)),
                take.body.to(talker.device),
            )
            yield from torch.cat(parts, dim=1).cpu().numpy()
