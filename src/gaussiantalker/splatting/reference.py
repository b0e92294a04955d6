"""The rasterizer in plain torch: any dtype, any device, every gradient by autograd. The others are tested against it.

Nothing here is fast on purpose; it reads like the equations of Zwicker et al. 2001 (EWA splatting) and Kerbl et al.
2023 with the rules of gsplat 1.5.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.splatting.rules import HARMONICS, MARGIN, MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE
from gaussiantalker.splatting.scene import Scene

_TILE = 32


def rasterize(scene: Scene) -> tuple[Tensor, Tensor, dict]:  # [B, H, W, 3], [B, H, W, 1]
    """See `rasterization.rasterize`."""
    means, quats, scales, opacities, colors, viewmats, Ks, width, height = scene[:9]
    opacities, colors = (t.expand(len(viewmats), *t.shape[1:]) for t in (opacities, colors))
    depths = _depth(means, viewmats)
    seen = (depths >= scene.near_plane) & (depths <= scene.far_plane)
    means2d, covariances, determinants = _project(means, quats, scales, viewmats, Ks, width, height, scene.eps2d, seen)
    if means2d.requires_grad:
        means2d.retain_grad()
    xx, xy, yy = covariances.unbind(-1)
    conics = torch.stack([yy, -xy, xx], -1) / determinants[..., None]  # [B, N, 3]
    if scene.sh_degree is not None:
        colors = shade(means, viewmats, colors, scene.sh_degree)
    reach = _reaches(covariances, opacities)
    seen = seen & (opacities >= MIN_ALPHA) & _on_screen(means2d, reach.ceil(), width, height)
    pictures = [
        _composite(means2d[b], conics[b], depths[b], opacities[b], colors[b], reach[b], seen[b], width, height)
        for b in range(len(viewmats))
    ]
    image, alpha = (torch.stack(parts) for parts in zip(*pictures, strict=True))
    if scene.backgrounds is not None:
        image = image + (1 - alpha) * scene.backgrounds
    radii = torch.where(seen[..., None], reach.ceil(), 0).clamp_max(1e9).int()
    return image, alpha, {"means2d": means2d, "radii": radii, "depths": depths}


def _depth(means: Tensor, viewmats: Tensor) -> Tensor:  # [B, N]
    return (means * viewmats[:, None, 2, :3]).sum(-1) + viewmats[:, None, 2, 3]


def rotation_matrices(quats: Tensor) -> Tensor:
    """[..., 4] wxyz of any length to [..., 3, 3]."""
    w, x, y, z = F.normalize(quats, dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


def _project(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    eps2d: float,
    seen: Tensor,  # [B, N] bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Centres [B, N, 2], covariances [B, N, 3] (xx, xy, yy) and their determinants [B, N], in pixels.

    The perspective is linearised at the centre, whose direction is held within 1.3 times the picture; eps2d square
    pixels are added to the diagonal. Gaussians that are not `seen` are moved to depth 1, so that they give neither
    values nor gradients that are not numbers.
    """
    rotation, translation = viewmats[:, None, :3, :3], viewmats[:, None, :3, 3]
    camera = (rotation @ means[..., None])[..., 0] + translation
    x, y, z = torch.where(seen[..., None], camera, camera.new_tensor([0.0, 0.0, 1.0])).unbind(-1)
    fx, fy, cx, cy = (Ks[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    margin_x, margin_y = MARGIN * width / fx, MARGIN * height / fy
    held_x = torch.minimum(torch.maximum(x / z, -cx / fx - margin_x), (width - cx) / fx + margin_x)
    held_y = torch.minimum(torch.maximum(y / z, -cy / fy - margin_y), (height - cy) / fy + margin_y)
    axes = rotation @ rotation_matrices(quats) * scales[..., None, :]  # [B, N, 3, 3], a principal axis per column
    u = (fx / z)[..., None] * (axes[..., 0, :] - held_x[..., None] * axes[..., 2, :])  # the axes' x in pixels
    v = (fy / z)[..., None] * (axes[..., 1, :] - held_y[..., None] * axes[..., 2, :])
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    # det(M M' + eps I) by Lagrange's identity: xx yy - xy^2 would cancel for a long thin Gaussian.
    determinants = torch.linalg.cross(u, v).square().sum(-1) + eps2d * (uu + vv) + eps2d**2
    means2d = torch.stack([fx * x / z + cx, fy * y / z + cy], -1)
    return means2d, torch.stack([uu + eps2d, uv, vv + eps2d], -1), determinants


def spherical_harmonics(directions: Tensor, degree: int) -> Tensor:
    """The real basis [..., (degree + 1)^2] of Sloan 2013 at unit directions [..., 3], as all of 3DGS signs it."""
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    ones, first, second, third = HARMONICS
    basis = [torch.full_like(x, *ones)]
    if degree > 0:
        (c,) = first
        basis += [-c * y, c * z, -c * x]
    if degree > 1:
        c, d, e = second
        basis += [c * x * y, -c * y * z, d * (2 * zz - xx - yy), -c * x * z, e * (xx - yy)]
    if degree > 2:
        c, d, e, f, g = third
        basis += [-c * y * (3 * xx - yy), d * x * y * z, -e * y * (4 * zz - xx - yy)]
        basis += [f * z * (2 * zz - 3 * xx - 3 * yy), -e * x * (4 * zz - xx - yy)]
        basis += [g * z * (xx - yy), -c * x * (xx - 3 * yy)]
    return torch.stack(basis, -1)


def shade(means: Tensor, viewmats: Tensor, sh: Tensor, degree: int) -> Tensor:
    """Colours [B, N, 3] seen from each camera: the harmonics [B, N, K, 3] plus 0.5, cut at zero."""
    rotation, translation = viewmats[:, :3, :3], viewmats[:, :3, 3]
    eyes = -(rotation.transpose(1, 2) @ translation[..., None])[..., 0]
    basis = spherical_harmonics(F.normalize(means - eyes[:, None], dim=-1), degree)
    return ((basis[..., None] * sh[..., : basis.shape[-1], :]).sum(-2) + 0.5).clamp_min(0)


def _reaches(covariances: Tensor, opacities: Tensor) -> Tensor:  # [B, N, 2]
    """Half the width and height in pixels of the box outside of which alpha is below 1/255."""
    deviations = (2 * (opacities.detach() / MIN_ALPHA).clamp_min(1).log()).sqrt()
    return deviations[..., None] * covariances.detach()[..., ::2].sqrt()


def _on_screen(means2d: Tensor, reach: Tensor, width: int, height: int) -> Tensor:  # [B, N]
    size = reach.new_tensor([width, height])
    return ((means2d + reach > 0) & (means2d - reach < size)).all(-1)


def _composite(means2d, conics, depths, opacities, colors, reach, seen, width, height) -> tuple[Tensor, Tensor]:
    """One picture [H, W, 3] and its alpha [H, W, 1], a large tile at a time so that memory stays small."""
    order = torch.argsort(depths.detach(), stable=True)
    order = order[seen[order]]
    splats = [values[order] for values in (means2d, conics, opacities, colors)]
    low, high = (means2d.detach() - reach)[order], (means2d.detach() + reach)[order]
    rows = []
    for y in range(0, height, _TILE):
        row = []
        for x in range(0, width, _TILE):
            corner = low.new_tensor([x, y])
            near = ((high >= corner) & (low <= corner + _TILE)).all(-1)
            size = (min(_TILE, height - y), min(_TILE, width - x))
            row.append(_composite_tile([values[near] for values in splats], corner, *size))
        rows.append(torch.cat(row, 1))
    picture = torch.cat(rows)
    return picture[..., :3], picture[..., 3:]


def _composite_tile(splats: list[Tensor], corner: Tensor, height: int, width: int) -> Tensor:
    """Colour and alpha [h, w, 4] of the tile whose first pixel lies at `corner`; splats come nearest first."""
    means2d, conics, opacities, colors = splats
    options = {"dtype": means2d.dtype, "device": means2d.device}
    ys, xs = torch.meshgrid(torch.arange(height, **options), torch.arange(width, **options), indexing="ij")
    pixels = corner + torch.stack([xs, ys], -1).reshape(-1, 2) + 0.5
    dx, dy = (pixels - means2d[:, None]).unbind(-1)  # [n, P]
    xx, xy, yy = conics[:, :, None].unbind(1)
    exponent = (0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy).clamp_min(0)
    alpha = (opacities[:, None] * torch.exp(-exponent)).clamp_max(MAX_ALPHA)
    alpha = torch.where(alpha < MIN_ALPHA, 0, alpha)
    unfinished = torch.cumprod(1 - alpha, 0) > MIN_TRANSMITTANCE
    alpha = torch.where(unfinished, alpha, 0)
    after = torch.cumprod(1 - alpha, 0)  # transmittance behind each splat
    before = torch.cat([torch.ones_like(after[:1]), after[:-1]])
    color = (alpha * before).T @ colors
    covered = 1 - after[-1] if len(after) else torch.zeros(height * width, **options)
    return torch.cat([color, covered[:, None]], 1).reshape(height, width, 4)
