"""The torso of avatars that were trained before `talker.torso`: Gaussians before a fixed camera, moved by the pose."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaussiantalker.geometry import Camera
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.splatting.scene import Room
from gaussiantalker.talker.talker import Splats, render
from gaussiantalker.talker.torso import POSE_NUMBERS, SOFT_LIMIT, pose_numbers

TEXELS, CHANNELS, MODES, WIDTH = 16, 16, 8, 32
_OFFSETS = {"means": 2, "quats": 4, "log_scales": 3, "sh": 3}  # numbers each Gaussian's offset consists of
_MARGIN = 1 / 32  # of the picture's side, kept above the topmost Gaussian for what it may grow


class TorsoField(nn.Module):
    """Gaussians before a fixed camera, moved, turned, stretched and shaded by the head's pose, over a background.

    A feature plane over the picture gives every Gaussian a few modes of change, and a small network gives every pose
    the modes' weights; offsets are their products. They are as smooth over the picture as the plane and over poses as
    the network, poses beyond the recorded ones lead to no more than the recorded ones did, and a frame costs one small
    matrix product. Depths never change, so that no two Gaussians ever swap their order.
    """

    pose_mean: Tensor
    pose_scale: Tensor
    background: Tensor  # [H, W, 3]
    K: Tensor
    top: Tensor

    def __init__(self, gaussians: Gaussians, camera: Camera, background: np.ndarray):
        """Gaussians with colours of degree 0 in the camera's own axes; background uint8 [H, W, 3]."""
        super().__init__()
        self.raw = nn.ParameterDict({name: nn.Parameter(value) for name, value in gaussians.to_dict().items()})
        self.plane = nn.Parameter(0.1 * torch.randn(1, CHANNELS, TEXELS, TEXELS))
        self.modes = nn.Linear(CHANNELS, MODES * sum(_OFFSETS.values()), bias=False)
        nn.init.normal_(self.modes.weight, std=0.03)
        first = nn.Linear(2 * POSE_NUMBERS, WIDTH)
        self.weights = nn.Sequential(first, nn.SiLU(), nn.Linear(WIDTH, MODES))
        nn.init.zeros_(first.weight)  # movements nobody recorded then have no effect
        self.register_buffer("pose_mean", torch.zeros(POSE_NUMBERS))
        self.register_buffer("pose_scale", torch.ones(POSE_NUMBERS))
        self.register_buffer("background", torch.from_numpy(np.asarray(background)).float() / 255, persistent=False)
        self.register_buffer("K", torch.from_numpy(camera.K).float(), persistent=False)
        row = float(self._pixels(gaussians.means)[:, 1].min()) - _MARGIN * camera.height
        self.register_buffer("top", torch.tensor(int(np.clip(row, 0, camera.height - 1))))
        self.register_buffer("_kept_modes", None, persistent=False)

    def train(self, mode: bool = True) -> "TorsoField":
        """Also forgets what was computed once for all frames, so say `eval()` anew when weights have changed."""
        self._kept_modes = None
        return super().train(mode)

    @classmethod
    def from_state(cls, state: dict[str, Tensor], camera: Camera, background: np.ndarray) -> "TorsoField":
        """The trained field that `state_dict` describes. Raises KeyError or RuntimeError when it describes none."""
        gaussians = Gaussians.from_dict({name.removeprefix("raw."): tensor for name, tensor in state.items()})
        field = cls(gaussians, camera, background)
        field.load_state_dict(state)
        return field.eval().requires_grad_(False)

    numbers = MODES

    @cached_property
    def first_row(self) -> int:
        """`top`, which the host asks for but once."""
        return int(self.top)

    def forward(self, codes: Tensor, room: Room | None = None) -> Tensor:
        """Pictures [B, H, W, 3] for weights of the modes [B, MODES]."""
        above = self.background[: self.first_row].expand(len(codes), -1, -1, -1)
        return torch.cat([above, self.lower(codes, room)[0]], dim=1)

    def covering(self, codes: Tensor, room: Room | None = None) -> tuple[Tensor, Tensor]:
        """The same pictures, and how far the Gaussians cover the background in them, [B, H, W, 1]."""
        above = self.background[: self.first_row].expand(len(codes), -1, -1, -1)
        below, opacity = self.lower(codes, room)
        return torch.cat([above, below], dim=1), torch.cat([torch.zeros_like(above[..., :1]), opacity], dim=1)

    def guess(self, viewmats: Tensor, sway: Tensor) -> Tensor:
        """The modes' weights [B, MODES] under head poses and their slow part (see `slow_part`), both [B, 4, 4]."""
        poses = torch.cat([(pose_numbers(m) - self.pose_mean) / self.pose_scale for m in (viewmats, sway)], dim=-1)
        return self.weights(SOFT_LIMIT * torch.tanh(poses / SOFT_LIMIT))

    def lower(self, mix: Tensor, room: Room | None = None) -> tuple[Tensor, Tensor]:
        """The rows from `top` down, [B, H - top, W, 3], for weights of the modes [B, MODES], and their opacity."""
        K = self.K.clone()
        K[1, 2] -= self.top
        behind = self.background[self.first_row :].expand(len(mix), -1, -1, -1)
        fixed = torch.eye(4, device=mix.device).expand(len(mix), 4, 4)
        return render(self.deform(mix), fixed, K, behind, 0, room)[:2]

    def deform(self, mix: Tensor) -> Splats:
        """The Gaussians under weights of the modes [B, MODES]."""
        means, raw = self.raw["means"], self.raw
        offsets = torch.einsum("ndk,bk->bnd", self._modes(), mix).split(list(_OFFSETS.values()), dim=-1)
        moved, turned, stretched, shaded = offsets
        return Splats(
            means + F.pad(moved, (0, 1)),
            raw["quats"] + turned,
            (raw["log_scales"] + stretched).exp(),
            raw["opacity_logits"].sigmoid(),
            raw["sh"] + shaded[:, :, None],
        )

    def _modes(self) -> Tensor:
        """Each Gaussian's modes of change [N, numbers, MODES]: the same in every frame, and so computed but once while
        the field is in evaluation and nothing is learnt."""
        if self._kept_modes is not None and not self.training and not torch.is_grad_enabled():
            return self._kept_modes
        height, width = self.background.shape[:2]
        across, down = self._pixels(self.raw["means"]).unbind(-1)
        place = (torch.stack([across / width, down / height], dim=-1) * 2 - 1).detach()
        texels = F.grid_sample(self.plane, place[None, None], align_corners=True, padding_mode="border")
        modes = self.modes(texels[0, :, 0].T).unflatten(-1, (-1, MODES))
        if not self.training and not torch.is_grad_enabled():
            self._kept_modes = modes
        return modes

    def _pixels(self, means: Tensor) -> Tensor:
        """Where points [N, 3] before the camera are seen, [N, 2]."""
        homogeneous = means @ self.K.T
        return homogeneous[:, :2] / homogeneous[:, 2:]
