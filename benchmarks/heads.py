"""The head that benchmarks render, made up by a formula."""

import math

import torch


def camera(size: int):
    """A head-sized view, turned by eight degrees."""
    focal, angle = 0.5 * size / math.tan(math.radians(10)), math.radians(8)
    K = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    view = torch.eye(4)
    view[0, 0] = view[2, 2] = math.cos(angle)
    view[0, 2], view[2, 0], view[2, 3] = math.sin(angle), -math.sin(angle), 3.2
    return view[None], K[None]


def head(count: int, sh_degree: int):
    """An ellipsoid, 70 % of the Gaussians on its surface, with sizes spread as in a trained head."""
    g = torch.Generator().manual_seed(0)
    surface = int(0.7 * count)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=g), dim=-1)
    radii = torch.cat(
        [
            1 + 0.02 * torch.randn(surface, 1, generator=g),
            torch.rand(count - surface, 1, generator=g) ** (1 / 3),
        ]
    )
    spread = 0.45 * torch.randn(count, 1, generator=g) + 0.35 * torch.randn(count, 3, generator=g)
    log_scales = -5.9 + spread - torch.tensor([0, 0, 0.9])
    sh = 0.15 * torch.randn(count, (sh_degree + 1) ** 2, 3, generator=g)
    sh[:, 0] = (torch.rand(count, 3, generator=g) - 0.5) / 0.28209479
    order = torch.randperm(count, generator=g)
    attributes = {
        "means": directions * radii * torch.tensor([0.36, 0.47, 0.40]),
        "quats": torch.randn(count, 4, generator=g),
        "scales": log_scales.exp(),
        "opacities": 0.1 + 0.85 * torch.rand(count, generator=g),
        "colors": sh,
    }
    return {name: values[order] for name, values in attributes.items()}
