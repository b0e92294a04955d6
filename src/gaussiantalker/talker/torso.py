"""Neck and shoulders as a picture that is moved and shaded: no recorded frame is needed behind the head.

An active appearance model (Cootes et al. 1998; fitted as in Matthews and Baker 2004): one texture, a few modes of
smooth flow that move it, and a few that shade it. docs/torso.md says what was measured and what a frame is.
"""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn
from torch.nn import functional as F

from gaussiantalker.timing import FPS

POSE_NUMBERS = 9  # two columns of the rotation, which fix the third, and the translation
SOFT_LIMIT = 2.5  # standard deviations of the recorded poses, from where on the torso follows the head no further
_SWAY_SECONDS = 1.0


class Torso(nn.Module):
    """Pictures of neck and shoulders for body codes, over a background.

    A code holds a weight for every mode of flow and then one for every mode of shade, each in the standard deviations
    of the training frames. The texture holds premultiplied colours and an alpha that no code changes.
    """

    texture: Tensor  # uint8 [4, h, w] premultiplied colour and alpha, `margin` pixels wider left, right and below
    shades: Tensor  # int8 [S, 3, h', w'] over the same area
    shade_scale: Tensor  # [S] grey levels of a step
    flow: Tensor  # [1 + M, 2, gh, gw] usual flow and its modes, in pixels: where in the texture a pixel is found
    origin: Tensor  # int [2] first row of the picture with a body, and the margin
    pose_mean: Tensor
    pose_scale: Tensor
    habits: Tensor  # [1 + 2 POSE_NUMBERS, M + S] what a pose usually does to the code
    background: Tensor  # [H, W, 3]

    def __init__(self, state: dict[str, Tensor], background: np.ndarray):
        """`state` as of `state_dict`; background uint8 [H, W, 3]. Raises KeyError or ValueError where it is none."""
        super().__init__()
        for name in ("texture", "shades", "shade_scale", "flow", "origin", "pose_mean", "pose_scale", "habits"):
            self.register_buffer(name, state[name])
        self.register_buffer("background", torch.from_numpy(np.asarray(background)).float() / 255, persistent=False)
        height, width = self.background.shape[:2]
        top, margin = self.place
        codes = len(self.flow) - 1 + len(self.shades)
        sizes = (4, height - top + margin, width + 2 * margin), (1 + 2 * POSE_NUMBERS, codes)
        if (self.texture.shape, self.habits.shape) != sizes or not 0 <= top < height or margin < 0:
            raise ValueError("the torso's tensors do not fit its picture")
        wholes = {"texture": torch.uint8, "shades": torch.int8}
        for name, tensor in state.items():
            right = (
                not tensor.is_floating_point() if name == "origin" else tensor.dtype == wholes.get(name, torch.float32)
            )
            if not right:
                raise ValueError(f"the torso's {name} is of another kind of number")
        steps = (len(self.shades),), (POSE_NUMBERS,), (POSE_NUMBERS,)
        if (self.shade_scale.shape, self.pose_mean.shape, self.pose_scale.shape) != steps:
            raise ValueError("the torso's numbers do not fit together")
        if (
            self.shades.shape[1:2] != (3,)
            or self.flow.shape[1:2] != (2,)
            or not self.shades.ndim == self.flow.ndim == 4
        ):
            raise ValueError("the torso's pictures do not fit together")
        self._packed: Any = None  # what the kernel has made of the above, once
        self.eval().requires_grad_(False)

    @cached_property
    def place(self) -> tuple[int, int]:
        """`origin`, which the host asks for but once."""
        top, margin = self.origin.tolist()
        return top, margin

    @property
    def numbers(self) -> int:
        """How many numbers a code has."""
        return self.habits.shape[1]

    @property
    def moves(self) -> int:
        """How many of a code's numbers weigh modes of flow."""
        return len(self.flow) - 1

    def guess(self, viewmats: Tensor, sway: Tensor) -> Tensor:
        """Codes [B, K] as they usually are under head poses and their slow part (see `slow_part`), both [B, 4, 4]."""
        return habit_numbers(viewmats, sway, self.pose_mean, self.pose_scale) @ self.habits

    @property
    def first_row(self) -> int:
        """Of the picture in which there may be a body."""
        return self.place[0]

    def forward(self, codes: Tensor) -> Tensor:
        """Pictures [B, H, W, 3] for codes [B, K]."""
        return self._drawn(codes, False)[0]

    def covering(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """The same pictures, and how far the body covers the background in them, [B, H, W, 1]."""
        return self._drawn(codes, True)

    def _drawn(self, codes: Tensor, covering: bool) -> tuple[Tensor, Tensor]:
        if codes.device.type != "cpu":
            return self.twin(codes)
        from gaussiantalker.talker.torso_kernel import draw, packed

        self._packed = self._packed or packed(self)
        return draw(codes, self.shade_scale, self._packed, covering)

    def twin(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """What the CPU's kernel draws, in plain torch: `covering`."""
        layer = self.layer(codes)
        out = self.background.repeat(len(layer), 1, 1, 1)
        out[:, self.first_row :].mul_(1 - layer[..., 3:]).add_(layer[..., :3])
        return out, F.pad(layer[..., 3:], (0, 0, 0, 0, self.first_row, 0))

    def layer(self, codes: Tensor) -> Tensor:
        """The torso alone [B, H - top, W, 4], premultiplied colours and alpha, for codes [B, K]."""
        found = F.grid_sample(self.textures(codes), self.places(codes), align_corners=True, padding_mode="border")
        found[:, :3] = torch.minimum(found[:, :3].clamp_min_(0), found[:, 3:])
        return found.movedim(1, -1)

    def textures(self, codes: Tensor) -> Tensor:
        """[B, 4, h, w] in [0, 1]."""
        texture, shades = self.floats
        shaded = (codes[:, self.moves :] @ shades.flatten(1)).unflatten(1, shades.shape[1:])
        if shaded.shape[-2:] != texture.shape[-2:]:
            shaded = F.interpolate(shaded, size=texture.shape[-2:], mode="bilinear", align_corners=True)
        out = texture.repeat(len(codes), 1, 1, 1)
        out[:, :3] += shaded
        return out

    def places(self, codes: Tensor) -> Tensor:
        """Where in the texture each pixel is found [B, H - top, W, 2], in [-1, 1]."""
        flow = self.flow[0] + (codes[:, : self.moves] @ self.flow[1:].flatten(1)).unflatten(1, self.flow.shape[1:])
        return self.grid + self.fine(flow * self.unit).movedim(1, -1)

    def fine(self, flow: Tensor) -> Tensor:
        """Flow [B, 2, gh, gw] for every pixel, [B, 2, H - top, W]."""
        return F.interpolate(flow, size=self.grid.shape[:2], mode="bilinear", align_corners=True)

    @cached_property
    def floats(self) -> tuple[Tensor, Tensor]:
        """Texture [4, h, w] and shades [S, 3, h', w'] in [0, 1]."""
        scale = self.shade_scale / 255
        return self.texture.float() / 255, self.shades.float() * scale[:, None, None, None]

    @cached_property
    def unit(self) -> Tensor:
        """A pixel [2, 1, 1] in the texture's own measure."""
        height, width = self.texture.shape[1:]
        return 2 / torch.tensor([width - 1, height - 1], device=self.flow.device).float()[:, None, None]

    @cached_property
    def grid(self) -> Tensor:
        """Where in the texture each pixel is found where nothing moves [H - top, W, 2], in [-1, 1]."""
        (top, margin), (height, width) = self.place, self.background.shape[:2]
        across = torch.arange(width, device=self.flow.device) + margin
        down = torch.arange(height - top, device=self.flow.device)
        places = torch.stack(torch.meshgrid(across, down, indexing="xy"))
        return (places * self.unit - 1).movedim(0, -1)

    def _apply(self, fn: Any, recurse: bool = True) -> "Torso":
        for name in ("floats", "unit", "grid"):
            self.__dict__.pop(name, None)
        self._packed = None
        return super()._apply(fn, recurse)


def pose_numbers(viewmats: Tensor) -> Tensor:
    """Head poses [B, 4, 4] as the numbers [B, 9] that the torso is conditioned on."""
    return torch.cat([viewmats[:, :3, 0], viewmats[:, :3, 1], viewmats[:, :3, 3]], dim=-1)


def habit_numbers(viewmats: Tensor, sway: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Head poses and their slow parts, both [B, 4, 4], as numbers [B, 19] that change little beyond those recorded."""
    poses = torch.cat([(pose_numbers(m) - mean) / scale for m in (viewmats, sway)], dim=-1)
    return F.pad(SOFT_LIMIT * torch.tanh(poses / SOFT_LIMIT), (1, 0), value=1.0)


def slow_part(viewmats: np.ndarray, mode: str = "nearest") -> np.ndarray:
    """Poses [F, 4, 4] averaged over about a second: the body takes part in the head's slow movement, not in its nods.

    The averages are nearly rotations, and are only looked at as numbers. `mode` as in `scipy.ndimage`.
    """
    return gaussian_filter1d(viewmats, _SWAY_SECONDS * FPS, axis=0, mode=mode)
