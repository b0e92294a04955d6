"""The rasterizer for CPUs: projection and colour in torch, compositing in numba."""

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import compositing, reference
from .threads import pool


def rasterize(
    means: Tensor,  # [B, N, 3]
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    *,
    sh_degree: int | None,
    near_plane: float,
    far_plane: float,
    eps2d: float,
    backgrounds: Tensor | None,  # [B, H, W, 3] or [B, 1, 1, 3]
) -> tuple[Tensor, Tensor, dict]:
    """See `rasterization.rasterize`."""
    depths = reference.depth(means, viewmats)
    seen = (depths >= near_plane) & (depths <= far_plane)
    means2d, covariances, determinants = reference.project(
        means, quats, scales, viewmats, Ks, width, height, eps2d, seen
    )
    if means2d.requires_grad:
        means2d.retain_grad()
    xx, xy, yy = covariances.unbind(-1)
    conics = torch.stack([yy, -xy, xx], -1) / determinants[..., None]
    if sh_degree is not None:
        colors = reference.shade(means, viewmats, colors, sh_degree)
    if backgrounds is None:
        backgrounds = means.new_zeros(len(viewmats), 1, 1, 3)
    splats = means2d, conics, covariances[..., ::2], depths, opacities, colors
    image, alpha, radii = _Composite.apply(*splats, backgrounds, width, height, near_plane, far_plane)
    return image, alpha, {"means2d": means2d, "radii": radii, "depths": depths}


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float32).contiguous().numpy()


class _Composite(torch.autograd.Function):
    """`compositing` on tensors with a leading dimension of frames."""

    @staticmethod
    def forward(ctx, means2d, conics, spreads, depths, opacities, colors, backgrounds, width, height, near, far):
        frames, count = depths.shape
        keep = any(ctx.needs_input_grad)
        image, alpha = np.empty((frames, height, width, 3), np.float32), np.empty((frames, height, width, 1), np.float32)
        radii = np.empty((frames, count, 2), np.int32)
        inputs = [_array(t) for t in (means2d, conics, spreads, depths, opacities, colors)]
        behind = _array(backgrounds)
        ctx.kept = []
        for b in range(frames):
            radii[b], kept = compositing.forward(
                pool(), *(values[b] for values in inputs), np.float32(near), np.float32(far), behind[b], image[b],
                alpha[b], keep,
            )
            ctx.kept.append(kept)
        ctx.arrays = inputs[1], inputs[4], behind
        results = torch.from_numpy(image), torch.from_numpy(alpha), torch.from_numpy(radii)
        if not keep:
            ctx.kept = ctx.arrays = None
        ctx.save_for_backward(results[1])
        ctx.mark_non_differentiable(results[2])
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx, image_grad, alpha_grad, _):
        (alpha,) = ctx.saved_tensors
        conics, opacities, behind = ctx.arrays
        image_grads, alpha_grads = _array(image_grad), _array(alpha_grad)
        frames = [
            compositing.backward(pool(), conics[b], opacities[b], behind[b], image_grads[b], alpha_grads[b], kept)
            for b, kept in enumerate(ctx.kept)
        ]
        to_means2d, to_conics, to_colors, to_opacities = (
            torch.from_numpy(np.stack(parts)) for parts in zip(*frames, strict=True)
        )
        to_background = None
        if ctx.needs_input_grad[6]:
            to_background = image_grad * (1 - alpha)
            if behind.shape[1:3] == (1, 1):
                to_background = to_background.sum((1, 2), keepdim=True)
        return to_means2d, to_conics, None, None, to_opacities, to_colors, to_background, None, None, None, None
