"""A capture as the talker sees it: frames with everything that belongs to them, as tensors."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.capture.face_mesh import EYES, OUTER_LIPS
from gaussiantalker.capture.labels import HEAD
from gaussiantalker.capture.morphable import TEETH
from gaussiantalker.geometry import rigid
from gaussiantalker.talker.drive import AUDIO, EYE, Drive
from gaussiantalker.talker.listener import Listener
from gaussiantalker.talker.torso import Torso, slow_part
from gaussiantalker.talker.torso_reading import Reader

if TYPE_CHECKING:
    from gaussiantalker.capture import Capture
    from gaussiantalker.capture.folder import Tracking

_EYE_POINTS = tuple(point for upper, lower, *corners in EYES for point in (*corners, upper[1], lower[1]))
_SEAM = 0.012  # of the picture's side: how far around the head its own torso is behind it in training


class Shots(NamedTuple):
    """B frames: the picture to reach, what lies behind the head, and where to look closely."""

    image: Tensor  # [B, H, W, 3] in [0, 1]
    plate: Tensor  # [B, H, W, 3] the frame without its head
    head: Tensor  # [B, H, W] 1 where the head is
    lips: Tensor  # [B, 4] left, top, right, bottom in pixels
    eyes: Tensor  # [B, 4] likewise, around both
    drive: Drive

    def to(self, device: torch.device) -> "Shots":
        """The same with its pictures and drive on a device; boxes stay, being read one by one."""
        image, plate, head = (part.to(device) for part in (self.image, self.plate, self.head))
        return Shots(image, plate, head, self.lips, self.eyes, self.drive.to(device))


class Footage:
    """The frames of a capture in which a face was found, and the speech around each."""

    device = torch.device("cpu")
    """Where `shots` puts its pictures."""

    def __init__(self, capture: "Capture", listener: Listener, seen: dict[str, Tensor] | None = None):
        """`seen` are further conditions of all frames by name, as `Conditions.seen` finds them."""
        self.capture = capture
        self.torso: Torso | None = None
        self.codes: Tensor | None = None  # [F, K] of the torso, of all frames that are asked for
        self._reader: Reader | None = None
        tracking = capture.tracking
        poses = rigid(tracking.rotations, tracking.translations)
        self.viewmats, self.sway = torch.from_numpy(poses).float(), torch.from_numpy(slow_part(poses)).float()
        self.blink = torch.from_numpy(tracking.blink).float()
        self.K = torch.from_numpy(capture.camera.K).float()
        self.heard = listener.hear_film(capture.audio)
        self.seen = seen or {}
        self.lips = _lip_boxes(tracking.landmarks[:, OUTER_LIPS], capture.size)
        self.eyes = _eye_boxes(tracking.landmarks[:, _EYE_POINTS], capture.size)

    def usable(self, start: int, stop: int) -> np.ndarray:
        """Frame numbers in [start, stop) with a face whose mouth is seen."""
        return usable(self.capture.tracking, start, stop)

    def upper_teeth(self) -> Tensor:
        """Points [P, 3] on the teeth that belong to the skull: the upper half of all."""
        tracking = self.capture.tracking
        teeth = tracking.points[tracking.regions == TEETH]
        return torch.from_numpy(teeth[teeth[:, 1] < np.median(teeth[:, 1])])

    def drive(self, frames: np.ndarray) -> Drive:
        """What moves the head in these frames [B]."""
        index = torch.from_numpy(np.asarray(frames))
        seen = {AUDIO: torch.from_numpy(self.heard[frames]), EYE: self.blink[index]}
        seen |= {name: values[index] for name, values in self.seen.items()}
        return Drive(seen, self.viewmats[index], index)

    def bodies(self, frames: np.ndarray, torso: Torso | None) -> Tensor | None:
        """Codes [B, K] of one torso, always the same, in these frames [B], as the frames show them."""
        if torso is None:
            return None
        self._reader = self._reader or Reader(torso)
        return torch.stack([self._reader.read(self.capture.plates[k], self.capture.labels[k]) for k in frames])

    @torch.no_grad()
    def _behind(self, frames: np.ndarray) -> Tensor:
        """What is behind the head [B, H, W, 3]: plates, and around the head the torso where there is one, on
        whose device it then is.

        So the head learns the seam it will be seen with, and is not bothered by what the torso misses elsewhere.
        """
        plates = self._unit(self.capture.plates[frames])
        if self.torso is None or self.codes is None:
            return plates
        reach = max(2, round(_SEAM * plates.shape[1]))
        where = self.torso.background.device
        near = _grown(torch.from_numpy(self.capture.labels[frames] == HEAD).to(where), reach)
        return torch.where(near[..., None], self.torso(self.codes[frames].to(where)), plates.to(where))

    def shots(self, frames: np.ndarray) -> Shots:
        """Everything about these frames [B]."""
        head = torch.from_numpy(self.capture.labels[frames] == HEAD).to(self.device).float()
        image, plate = self._unit(self.capture.images[frames]), self._behind(frames)
        lips, eyes = torch.from_numpy(self.lips[frames]), torch.from_numpy(self.eyes[frames])
        return Shots(image, plate, head, lips, eyes, self.drive(frames))

    def _unit(self, pictures: np.ndarray) -> Tensor:
        """Bytes go to the device, where they become floats in [0, 1]."""
        return torch.from_numpy(np.asarray(pictures)).to(self.device).float() / 255


def _grown(masks: Tensor, pixels: int) -> Tensor:
    """Masks bool [B, H, W], so many steps to all four sides larger."""
    for _ in range(pixels):
        wide = F.pad(masks, (1, 1, 1, 1))
        beside = wide[:, 1:-1, :-2] | wide[:, 1:-1, 2:]
        masks = masks | beside | wide[:, :-2, 1:-1] | wide[:, 2:, 1:-1]
    return masks


def usable(tracking: "Tracking", start: int, stop: int) -> np.ndarray:
    """Frame numbers in [start, stop) with a face whose mouth is seen."""
    return start + np.flatnonzero((tracking.found & ~tracking.hidden)[start:stop])


def _lip_boxes(points: np.ndarray, size: int) -> np.ndarray:
    """Square boxes int [N, 4] around lip points [N, P, 2] in pixels: at least four pixels wide, within the picture."""
    low, high = points.min(axis=1), points.max(axis=1)
    half = np.maximum((high - low).max(axis=1) / 2, 2)[:, None]
    middle = np.clip((low + high) / 2, half, size - half)
    return np.concatenate([np.floor(middle - half), np.ceil(middle + half)], axis=1).clip(0, size).astype(np.int64)


def _eye_boxes(points: np.ndarray, size: int) -> np.ndarray:
    """Boxes int [N, 4] around both eyes from points [N, P, 2] in pixels, a tenth of their width wider on all sides."""
    low, high = points.min(axis=1), points.max(axis=1)
    margin = 0.1 * (high - low)[:, :1] + 1
    return np.concatenate([np.floor(low - margin), np.ceil(high + margin)], axis=1).clip(0, size).astype(np.int64)
