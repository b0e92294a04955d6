"""Pictures of what moves a head, before what is behind it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gaussiantalker.geometry import Camera
from gaussiantalker.talker import Drive, Talker, TorsoField, fast_products, render

BATCH = 4  # frames rendered together: enough to share the network's overhead, few enough to stay in cache


@dataclass(frozen=True)
class Renderer:
    """A talker before a camera, and the torso below it where there is one."""

    talker: Talker
    camera: Camera
    torso: TorsoField | None

    @torch.inference_mode()
    @fast_products()
    def pictures(self, drive: Drive, sway: Tensor, plates: np.ndarray | None) -> np.ndarray:
        """Pictures uint8 [B, H, W, 3] of B frames.

        `sway` [B, 4, 4] is the slow part of their poses, which a torso follows; without one, `plates` uint8
        [B, H, W, 3] are behind the head.
        """
        device = self.talker.device
        K = torch.from_numpy(self.camera.K).float().to(device)
        drive = drive.to(device)
        splats, behind = self.talker.deform(drive), self.behind(drive, sway, plates)
        image, _, _ = render(splats, drive.viewmats, K, behind, self.talker.sh_degree)
        return image.clamp_(0, 1).mul_(255).round_().byte().cpu().numpy()

    @torch.inference_mode()
    def behind(self, drive: Drive, sway: Tensor, plates: np.ndarray | None) -> Tensor:
        """What is behind the head, [B, H, W, 3] in [0, 1]."""
        if self.torso:
            return self.torso(drive.viewmats, sway.to(self.talker.device))
        return torch.from_numpy(np.array(plates)).float().div_(255).to(self.talker.device)
