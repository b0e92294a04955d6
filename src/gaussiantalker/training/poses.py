"""Small corrections of the tracked head poses, learnt together with the head they blur."""

import torch
from torch import Tensor, nn

_SMALL = 0.01  # radians, and head units: a correction of this size costs 1


class PoseCorrections(nn.Module):
    """For every frame a turn about the head's origin and a shift, six numbers that begin at zero."""

    def __init__(self, frames: int):
        super().__init__()
        self.values = nn.Parameter(torch.zeros(frames, 6))

    def forward(self, viewmats: Tensor, frames: Tensor) -> Tensor:
        """Corrected poses of tracked ones [B, 4, 4], which belong to the frames with these numbers [B]."""
        turn, shift = self.values[frames].split(3, dim=-1)
        rotations, translations = _rotation(turn) @ viewmats[:, :3, :3], viewmats[:, :3, 3:] + shift[..., None]
        return torch.cat([torch.cat([rotations, translations], dim=-1), viewmats[:, 3:]], dim=1)

    def cost(self, frames: Tensor) -> Tensor:
        """How far these frames' poses are moved, mean square in units of `_SMALL`."""
        return (self.values[frames] / _SMALL).square().mean()


def _rotation(turn: Tensor) -> Tensor:
    """Rotations [B, 3, 3] by vectors [B, 3] along their axes, as long as their angle in radians."""
    x, y, z = turn.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(cross)
