"""What goes on inside an avatar, as pictures: where it listens to what, and what its feature planes hold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.geometry import Camera
from gaussiantalker.splatting import rasterize
from gaussiantalker.talker import Drive, Talker
from gaussiantalker.talker.triplane import AXES

_PLANES = ("from the front (x, y)", "from above (x, z)", "from the side (z, y)")
_TEXELS = 128  # a plane without texels of its own is sampled this finely
_DIM = 0.3  # brightness of texels no Gaussian reads
_AVERAGED = 1 / 64  # of a plane's side, to either side of a texel


@dataclass(frozen=True)
class Attention:
    """Where one frame's Gaussians listen to which condition (GaussianTalker, Figure 4)."""

    frame: int
    maps: dict[str, np.ndarray]  # uint8 [H, W]
    shares: dict[str, float]  # mean over Gaussians, 1 in all


@torch.inference_mode()
def attention_maps(talker: Talker, camera: Camera, drive: Drive) -> list[Attention]:
    """Of the frames that a drive is about; nothing for a method that weighs no conditions.

    Every Gaussian is splatted in the grey of its attention to a condition, from the frame's least to its greatest.
    """
    weights = talker.attention(drive)
    if weights is None:
        return []
    splats, K = talker.deform(drive), torch.from_numpy(camera.K).float().to(talker.device)
    low, high = weights.amin(dim=-1, keepdim=True), weights.amax(dim=-1, keepdim=True)
    grey = (weights - low) / (high - low).clamp_min(1e-9)
    found = [Attention(frame, {}, {}) for frame in drive.frames.cpu().tolist()]
    shares = weights.mean(dim=-1).cpu()
    for k, name in enumerate(talker.method.conditions):
        colours = grey[:, k, :, None].expand(-1, -1, 3).contiguous()
        shape = (splats.means, splats.quats, splats.scales, splats.opacities)
        Ks, size = K.expand(len(found), 3, 3), (camera.width, camera.height)
        image, _, _ = rasterize(*shape, colours, drive.viewmats, Ks, *size)
        pictures = (image[..., 0].clamp(0, 1) * 255).round().byte().cpu().numpy()
        for attention, picture, share in zip(found, pictures, shares[:, k], strict=True):
            attention.maps[name], attention.shares[name] = picture, float(share)
    return found


@torch.inference_mode()
def plane_pictures(talker: Talker) -> list[tuple[str, np.ndarray]]:
    """Caption and uint8 [R, R, 3] of the feature planes (GaussianTalker, Figure 3), seen as a drawing shows a head.

    The three directions in which the features of the Gaussians vary most are red, green and blue; texels that no
    Gaussian reads are dim.
    """
    pictures = []
    encoding: Any = talker.triplane
    means, low, high = (part.cpu() for part in (talker.raw["means"], encoding.low, encoding.high))
    unit = ((means - low) / (high - low)).clamp(0, 1)
    for title, planes in _levels(talker):
        for plane, (axes, name) in zip(planes, zip(AXES, _PLANES, strict=True), strict=True):
            places = (unit[:, axes] * (len(plane) - 1)).round().long()
            picture = _coloured(plane, places[:, 1], places[:, 0])
            # The side view's first coordinate is y, which a drawing shows downwards.
            upright = picture.swapaxes(0, 1) if axes == (1, 2) else picture
            pictures.append((f"{title}{name}", np.ascontiguousarray(upright)))
    return pictures


def _levels(talker: Talker) -> list[tuple[str, Tensor]]:
    """Titles and features [3, R (second axis), R (first axis), C] of each level; hash levels are seen all at once."""
    planes = getattr(talker.triplane, "planes", None)
    if planes is not None:
        return [(f"{len(level[0])} texels, ", level.cpu()) for level in planes]
    return [("hash tables, ", _sampled(talker))]


def _sampled(talker: Talker) -> Tensor:
    """What a hash triplane says on a grid in each of its planes: [3, R, R, C]."""
    encoding: Any = talker.triplane
    low, high = encoding.low, encoding.high
    ticks = torch.linspace(0, 1, _TEXELS)
    second, first = torch.meshgrid(ticks, ticks, indexing="ij")
    planes = []
    for number, axes in enumerate(AXES):
        points = torch.full((_TEXELS, _TEXELS, 3), 0.5)
        points[..., axes[0]], points[..., axes[1]] = first, second
        features = talker.triplane(low + points.reshape(-1, 3).to(low.device) * (high - low)).cpu()
        planes.append(features.chunk(3, dim=-1)[number].reshape(_TEXELS, _TEXELS, -1))
    return torch.stack(planes)


def _coloured(plane: Tensor, rows: Tensor, columns: Tensor) -> np.ndarray:
    """A plane [R, R, C] in the colours of what varies among its texels at `rows`, `columns`, each texel averaged with
    those about it that are read."""
    read = plane[rows, columns]
    mean = read.mean(dim=0)
    directions = torch.linalg.eigh((read - mean).T @ (read - mean)).eigenvectors[:, -3:].flip(-1)
    low, high = (torch.quantile((read - mean) @ directions, share, dim=0) for share in (0.02, 0.98))
    readers = torch.zeros(plane.shape[:2]).index_put((rows, columns), torch.ones(len(rows)), accumulate=True)
    near = _about(readers[..., None])
    averaged = torch.where(near > 0, _about(plane * readers[..., None]) / near.clamp_min(1e-9), plane)
    light = torch.where(near > 0, 1.0, _DIM)
    colours = (((averaged - mean) @ directions - low) / (high - low).clamp_min(1e-9)).clamp(0, 1) * light
    return (colours * 255).round().byte().numpy()


def _about(texels: Tensor) -> Tensor:
    """Means [R, R, C] over a small square about each texel."""
    radius = max(1, round(_AVERAGED * len(texels)))
    pooled = F.avg_pool2d(texels.movedim(-1, 0)[None], 2 * radius + 1, stride=1, padding=radius)
    return pooled[0].movedim(0, -1)
