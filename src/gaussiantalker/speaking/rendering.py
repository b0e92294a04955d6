"""Pictures of what moves a head, before what is behind it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gaussiantalker.geometry import Camera
from gaussiantalker.speaking.recording import Recorder
from gaussiantalker.splatting.scene import Room
from gaussiantalker.talker import BakedTalker, Drive, Talker, Torso, fast_products, render

BATCH = 4  # frames rendered together: enough to share the network's overhead, few enough to stay in cache


@dataclass(frozen=True)
class Renderer:
    """A head before a camera, and the torso below it where there is one."""

    head: Talker | BakedTalker
    camera: Camera
    torso: Torso | None
    covering: bool = False
    """Whether pictures have a fourth channel: how far the person covers what is behind, which needs a torso."""

    @torch.inference_mode()
    @fast_products()
    def pictures(self, drive: Drive, body: Tensor | None, plates: np.ndarray | None) -> np.ndarray:
        """Pictures uint8 [B, H, W, 3 or 4] of B frames.

        `body` [B, K] are codes of the torso; without one, `plates` uint8 [B, H, W, 3] are behind the head.
        """
        device = self.head.device
        behind = torch.from_numpy(np.array(plates)) if body is None else body
        if device.type == "cuda":
            spread = torch.as_tensor(drive.articulation).expand(len(drive.frames)).contiguous()
            return self._recorder.pictures(drive._replace(articulation=spread), behind)
        return self.draw(drive.to(device), behind.to(device)).cpu().numpy()

    @torch.inference_mode()
    def draw(self, drive: Drive, behind: Tensor, room: Room | None = None) -> Tensor:
        """The same where everything is on the head's device and stays there; `behind` are the torso's codes or plates.
        With a room, nothing waits for it."""
        return self.shade(drive, behind, room).mul_(255).round_().byte()

    @torch.inference_mode()
    @fast_products()
    def shade(self, drive: Drive, behind: Tensor, room: Room | None = None) -> Tensor:
        """The same in [0, 1], before shades are rounded to bytes."""
        covered = None
        if self.covering and self.torso:
            behind, covered = self.torso.covering(behind)
        else:
            behind = self.torso(behind) if self.torso else behind.float().div_(255)
        splats = self.head.deform(drive)
        image, opacity, _ = render(splats, drive.viewmats, self._K, behind, self.head.sh_degree, room)
        if covered is not None:
            image = torch.cat([image, opacity + (1 - opacity) * covered], dim=-1)
        return image.clamp_(0, 1)

    @cached_property
    def _K(self) -> Tensor:
        return torch.from_numpy(self.camera.K).float().to(self.head.device)

    @cached_property
    def _recorder(self) -> Recorder:
        return Recorder(self.draw, self.head.device)
