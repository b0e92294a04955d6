"""Kolmogorov-Arnold networks (Liu et al. 2024), as EGSTalker puts them where others have perceptrons."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GRID, ORDER = 5, 3
BASES = GRID + ORDER  # cubic B-splines that reach into [-1, 1]


class _SplineLayer(nn.Module):
    """y_j = sum_i w_ij SiLU(x_i) + sum_i sum_k c_ijk B_k(x_i) / sqrt(inputs): a curve on every edge, inputs in [-1, 1].

    Bases sum to 1 for every input, so without the root a step of Adam would move all curves of an output together, far
    enough to undo what the canonical stage learnt.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.base = nn.Linear(inputs, outputs)
        self.curves = nn.Linear(inputs * BASES, outputs, bias=False)
        nn.init.normal_(self.curves.weight, std=0.1)
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        return self.base(F.silu(x)) + self.scale * self.curves(_spline_bases(x).flatten(-2))


class TaylorLayer(nn.Module):
    """y_j = sum_i w_ij SiLU(x_i) + sum_i sum_k c_ijk x_i^k + b_j, k = 0, 1, 2: as EGSTalker's public code curves."""

    POWERS = 3

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.base = nn.Linear(inputs, outputs)
        self.curves = nn.Linear(inputs * self.POWERS, outputs, bias=False)
        nn.init.normal_(self.curves.weight, std=1 / (inputs * math.sqrt(self.POWERS)))

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        powers = torch.stack([x**k for k in range(self.POWERS)], dim=-1)
        return self.base(F.silu(x)) + self.curves(powers.flatten(-2))


class SplineRegressors(nn.Module):
    """Attributes read off a feature by a KAN of one hidden layer, all attributes at once.

    Inputs of both layers are squashed into the splines' range by tanh. The last layer starts at zero: offsets begin
    as the identity. Without outputs it says nothing and has no weights.
    """

    def __init__(self, inputs: int, width: int, outputs: dict[str, int]):
        super().__init__()
        self.sizes = dict(outputs)
        if not outputs:
            return
        self.first, self.norm = _SplineLayer(inputs, width), nn.LayerNorm(width)
        self.last = _SplineLayer(width, sum(outputs.values()))
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        """[..., inputs] to {name: [..., size]}."""
        if not self.sizes:
            return {}
        hidden = self.norm(self.first(feature.tanh()))
        offsets = self.last(hidden.tanh()).split(list(self.sizes.values()), dim=-1)
        return dict(zip(self.sizes, offsets, strict=True))


def _spline_bases(x: Tensor) -> Tensor:
    """The cubic B-splines on [-1, 1] with five equal cells: [...] to [..., 8], summing to 1. Inputs are clamped."""
    if x.device.type == "cpu" and x.dtype == torch.float32:
        from gaussiantalker.talker.spline_kernel import bases

        return bases(x)
    return _spline_bases_reference(x)


def _spline_bases_reference(x: Tensor) -> Tensor:
    """The same in plain torch, any float type and device."""
    u = (x.clamp(-1, 1) + 1) * (GRID / 2)
    centres = torch.arange(BASES, device=x.device, dtype=x.dtype) - 1
    distance = (u[..., None] - centres).abs()
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance).clamp_min(0) ** 3 / 6
    return torch.where(distance < 1, near, far)
