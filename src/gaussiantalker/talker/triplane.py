"""The multi-resolution triplane (GaussianTalker, eq. 7; after K-Planes): a feature for every point of space."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

AXES = ((0, 1), (0, 2), (1, 2))  # which coordinates the xy, xz and yz planes look at


class Encoding(nn.Module):
    """Base of the encodings: features for points of space. A subclass takes points [N, 3] to features [N, width]."""

    low: Tensor  # [3]
    high: Tensor  # [3]

    def __init__(self, width: int, low: Tensor, high: Tensor):
        """`low` and `high` [3] bound the space that it covers; points outside read the border."""
        super().__init__()
        self.width = width
        self.register_buffer("low", low.float())
        self.register_buffer("high", high.float())

    def unit(self, points: Tensor) -> Tensor:
        """Points [N, 3] with the box from 0 to 1."""
        return (points - self.low) / (self.high - self.low)


class Triplane(Encoding):
    """Three feature planes per level; their bilinear samples are multiplied, levels are concatenated.

    Planes are stored channels-last, `[3, R, R, channels]`, which is what the CPU kernel reads in one go.
    """

    def __init__(self, resolutions: tuple[int, ...], channels: int, low: Tensor, high: Tensor):
        super().__init__(channels * len(resolutions), low, high)
        self.planes = nn.ParameterList(
            nn.Parameter(torch.empty(3, size, size, channels).uniform_(0.1, 0.5)) for size in resolutions
        )

    def forward(self, points: Tensor) -> Tensor:
        """Points [N, 3] to features [N, levels * channels]."""
        unit = self.unit(points) * 2 - 1
        if points.device.type == "cpu" and points.dtype == torch.float32:
            from gaussiantalker.talker.triplane_kernel import sample_planes

            return torch.cat([sample_planes(unit, planes) for planes in self.planes], dim=-1)
        return torch.cat([_sample_planes_reference(unit, planes) for planes in self.planes], dim=-1)


def _sample_planes_reference(unit: Tensor, planes: Tensor) -> Tensor:
    """One level in plain torch: points [N, 3] in [-1, 1] and planes [3, R, R, C] to [N, C]; corners are aligned."""
    grid = torch.stack([unit[:, axes] for axes in AXES])[:, None]  # [3, 1, N, 2]
    samples = F.grid_sample(planes.movedim(-1, 1), grid, align_corners=True, padding_mode="border")
    return samples[:, :, 0].prod(dim=0).T
