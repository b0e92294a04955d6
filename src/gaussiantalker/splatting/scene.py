"""What a rasterizer is given."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass
class Room:
    """How many (tile, Gaussian) pairs pictures may have, where the host does not wait to hear how many they have."""

    capacity: int
    wanted: Tensor | None = None
    """int64 [] on the device, set by `rasterize`: how many they had. What exceeds the capacity is not drawn."""


class Scene(NamedTuple):
    """Gaussians before B cameras: the arguments of `rasterization.rasterize` once they are checked."""

    means: Tensor  # [1 or B, N, 3], as the other attributes
    quats: Tensor  # [.., N, 4]
    scales: Tensor  # [.., N, 3]
    opacities: Tensor  # [.., N]
    colors: Tensor  # [.., N, 3], or [.., N, K, 3] with sh_degree
    viewmats: Tensor  # [B, 4, 4]
    Ks: Tensor  # [B, 3, 3]
    width: int
    height: int
    sh_degree: int | None
    near_plane: float
    far_plane: float
    eps2d: float
    backgrounds: Tensor | None  # [B, H, W, 3] or [B, 1, 1, 3]
    room: Room | None
