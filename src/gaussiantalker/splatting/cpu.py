"""The rasterizer for CPUs: torch's graph around the numba kernels of `projection`, `harmonics` and `compositing`."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gaussiantalker.kernels.threads import kernel_folder, pool
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.splatting import compositing, harmonics, projection
from gaussiantalker.splatting.scene import Scene
from gaussiantalker.splatting.ssim import ssim


def rasterize(scene: Scene) -> tuple[Tensor, Tensor, dict]:  # [B, H, W, 3], [B, H, W, 1]
    """See `rasterization.rasterize`."""
    means, quats, scales, opacities, colors, viewmats, Ks, width, height = scene[:9]
    frames, count, planes = len(viewmats), means.shape[1], (scene.near_plane, scene.far_plane)
    numbers = width, height, *planes, scene.eps2d
    means2d, covariances, depths, determinants = _run(_Project, means, quats, scales, viewmats, Ks, *numbers)
    if means2d.requires_grad:
        means2d.retain_grad()
    if scene.sh_degree is not None:
        eyes = -(viewmats[:, :3, :3].transpose(1, 2) @ viewmats[:, :3, 3:])[..., 0]
        colors = _run(_Shade, means, eyes, colors.flatten(2), scene.sh_degree)
    backgrounds = means.new_zeros(frames, 1, 1, 3) if scene.backgrounds is None else scene.backgrounds
    opacities, colors = opacities.expand(frames, count), colors.expand(frames, count, 3)
    splats = means2d, covariances, determinants, depths, opacities, colors
    image, alpha, radii = _run(_Composite, *splats, backgrounds, width, height, *planes)
    return image, alpha, {"means2d": means2d, "radii": radii, "depths": depths}


class _Forgetful:
    """What `forward` takes for autograd's context where nothing is learnt."""

    needs_input_grad = (False,) * 11

    def mark_non_differentiable(self, *results: Tensor) -> None: ...

    def save_for_backward(self, *results: Tensor) -> None: ...


def _run(step: type[torch.autograd.Function], *arguments: Any) -> Any:
    """Without autograd where nothing is learnt: live, it takes longer than some kernels."""
    return step.apply(*arguments) if torch.is_grad_enabled() else step.forward(_Forgetful(), *arguments)


def prepare(progress: Progress = SILENT) -> None:
    """Compiles the kernels of the CPU rasterizer and of SSIM now, not during the first picture.

    That takes about twenty seconds once per machine and version, and says so; afterwards they are read from disk in
    half a second. The kernels of a talker's network follow when it is first used.
    """
    if not any(kernel_folder(Path(compositing.__file__)).rglob("compositing.backward*")):
        progress.note(
            "Compiling for this processor, once: about twenty seconds now, and as many when the first step or picture"
            " comes."
        )
    one = torch.zeros(1, 1, 3, requires_grad=True)
    sh, opacities = torch.zeros(1, 1, 1, 3), torch.ones(1, 1)
    view, K = torch.eye(4)[None], torch.eye(3)[None]
    scene = Scene(one, torch.zeros(1, 1, 4), one, opacities, sh, view, K, 1, 1, 0, 1.0, 2.0, 0.3, None, None)
    image, _, _ = rasterize(scene)
    (image.sum() + ssim(image, image.detach()).sum()).backward()


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float32).contiguous().numpy()


def _for_input(per_frame: np.ndarray, shared: bool) -> Tensor:
    """The gradient of an attribute [1 or F, N, C] from what each frame gives it [F, N, C]."""
    gradient = torch.from_numpy(per_frame)
    return gradient.sum(0, keepdim=True) if shared and len(gradient) > 1 else gradient


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means, quats, scales, viewmats, Ks, width, height, near, far, eps2d):
        views, intrinsics = (t.detach().double().numpy() for t in (viewmats, Ks))
        cameras = projection.camera_rows(views, intrinsics, width, height, near, far, eps2d)
        inputs = [_array(t) for t in (means, quats, scales)]
        outputs = projection.project(pool(), cameras, *inputs)
        means2d, covariances, determinants, depths = (torch.from_numpy(a) for a in outputs)
        ctx.inputs = cameras, *inputs
        ctx.mark_non_differentiable(determinants)
        return means2d, covariances, depths[..., 0], determinants

    @staticmethod
    @once_differentiable
    def backward(ctx, to_means2d, to_covariances, to_depths, _):
        upstream = [_array(t) for t in (to_means2d, to_covariances, to_depths[..., None])]
        *gradients, sums = projection.project_gradient(pool(), *ctx.inputs, *upstream, ctx.needs_input_grad[3])
        to_views = None
        if ctx.needs_input_grad[3]:
            total = torch.from_numpy(sums.sum(1, dtype=np.float64)).float()
            to_views = torch.cat([total[:, :9].reshape(-1, 3, 3), total[:, 9:12, None]], 2)
            to_views = torch.nn.functional.pad(to_views, (0, 0, 0, 1))
        shared = [len(values) == 1 for values in ctx.inputs[1:]]
        return *(_for_input(g, once) for g, once in zip(gradients, shared, strict=True)), to_views, *[None] * 6


class _Shade(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means, eyes, sh, degree):
        inputs = [_array(t) for t in (eyes, means, sh)]
        colors = harmonics.shade(pool(), degree, *inputs)
        ctx.inputs = degree, *inputs, colors
        return torch.from_numpy(colors)

    @staticmethod
    @once_differentiable
    def backward(ctx, to_colors):
        _, _, means, sh, _ = ctx.inputs
        to_means, to_sh = harmonics.shade_gradient(pool(), *ctx.inputs, _array(to_colors))
        to_eyes = -torch.from_numpy(to_means).sum(1) if ctx.needs_input_grad[1] else None
        return _for_input(to_means, len(means) == 1), to_eyes, _for_input(to_sh, len(sh) == 1), None


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means2d, covariances, determinants, depths, opacities, colors, backgrounds, *numbers):
        width, height, near, far = numbers
        frames, count = depths.shape
        ctx.keep = any(ctx.needs_input_grad)
        image = np.empty((frames, height, width, 3), np.float32)
        alpha, radii = np.empty((frames, height, width, 1), np.float32), np.empty((frames, count, 2), np.int32)
        rows = means2d, covariances, determinants, depths[..., None], opacities[..., None], colors
        inputs = [_array(t) for t in rows]
        behind, planes = _array(backgrounds), (np.float32(near), np.float32(far))
        ctx.frames = []
        for b in range(frames):
            splats = [values[b] for values in inputs]
            radii[b], kept = compositing.forward(pool(), *splats, planes, behind[b], image[b], alpha[b], ctx.keep)
            if ctx.keep:
                ctx.frames.append((inputs[4][b], behind[b], kept))
        results = torch.from_numpy(image), torch.from_numpy(alpha), torch.from_numpy(radii)
        ctx.save_for_backward(results[1])
        ctx.mark_non_differentiable(results[2])
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx, image_grad, alpha_grad, _):
        image_grads, alpha_grads = _array(image_grad), _array(alpha_grad)
        gradients = [
            compositing.backward(pool(), opacities, behind, image_grads[b], alpha_grads[b], kept)
            for b, (opacities, behind, kept) in enumerate(ctx.frames)
        ]
        to_means2d, to_covariances, to_colors, to_opacities = (
            torch.from_numpy(parts[0][None] if len(parts) == 1 else np.stack(parts))
            for parts in zip(*gradients, strict=True)
        )
        to_background = None
        if ctx.needs_input_grad[6]:
            to_background = image_grad * (1 - ctx.saved_tensors[0])
            if ctx.frames[0][1].shape[:2] == (1, 1):
                to_background = to_background.sum((1, 2), keepdim=True)
        return to_means2d, to_covariances, None, None, to_opacities, to_colors, to_background, *[None] * 4
