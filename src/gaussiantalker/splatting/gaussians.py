"""The Gaussians themselves: plain tensors before their activations."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

SH_DC = 0.28209479177387814  # the constant harmonic: colour = 0.5 + SH_DC * sh[0]
_MIN_SQUARED_DISTANCE = 1e-7


@dataclass
class Gaussians:
    """N Gaussians as they are optimised: scales and opacities are kept where every real number is valid."""

    means: Tensor  # [N, 3]
    quats: Tensor  # [N, 4] wxyz, any length
    log_scales: Tensor  # [N, 3]
    opacity_logits: Tensor  # [N]
    sh: Tensor  # [N, K, 3] harmonics, K = (degree + 1)^2

    def __len__(self) -> int:
        return len(self.means)

    @property
    def scales(self) -> Tensor:  # [N, 3]
        return self.log_scales.exp()

    @property
    def opacities(self) -> Tensor:  # [N]
        return self.opacity_logits.sigmoid()

    @property
    def sh_degree(self) -> int:
        return round(self.sh.shape[1] ** 0.5) - 1

    def to_dict(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, tensors: dict[str, Tensor]) -> Self:
        """Takes the five tensors and ignores any others."""
        return cls(**{field.name: tensors[field.name] for field in fields(cls)})

    @classmethod
    def from_points(
        cls,
        points: np.ndarray,  # [N, 3]
        colors: np.ndarray | None = None,  # [N, 3] RGB in [0, 1]; grey when not given
        *,
        opacity: float = 0.1,
        sh_degree: int = 3,
    ) -> Self:
        """Round Gaussians on points, each as large as the root mean square distance to its three neighbours.

        (Kerbl et al. 2023, section 5.1; GaussianTalker starts the same way from the tracked head's vertices.)
        """
        from scipy.spatial import KDTree  # a quarter of a second that those who only load Gaussians are spared

        points = np.asarray(points, dtype=np.float64)
        count = len(points)
        neighbours = min(3, count - 1)
        squared = np.zeros(count)
        if neighbours > 0:
            squared = (KDTree(points).query(points, k=neighbours + 1)[0][:, 1:] ** 2).mean(1)
        log_scale = np.log(np.sqrt(np.maximum(squared, _MIN_SQUARED_DISTANCE)))
        sh = torch.zeros(count, (sh_degree + 1) ** 2, 3)
        if colors is not None:
            sh[:, 0] = torch.as_tensor((np.asarray(colors) - 0.5) / SH_DC, dtype=torch.float32)
        return cls(
            means=torch.as_tensor(points, dtype=torch.float32),
            quats=torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
            log_scales=torch.as_tensor(log_scale, dtype=torch.float32)[:, None].repeat(1, 3),
            opacity_logits=torch.full((count,), opacity).logit(),
            sh=sh,
        )
