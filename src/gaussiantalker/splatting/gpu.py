"""The rasterizer for NVIDIA and AMD GPUs: torch's graph around Triton kernels, which need no compiler but torch's own.

The kernels also run on CPUs, for tests: where Triton interprets them (`TRITON_INTERPRET=1` before it is imported).
"""

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting import triton_compositing as compositing
from gaussiantalker.splatting import triton_harmonics as harmonics
from gaussiantalker.splatting import triton_projection as projection
from gaussiantalker.splatting.rules import TILE
from gaussiantalker.splatting.scene import Room, Scene
from gaussiantalker.splatting.triton_launch import on_threads
from gaussiantalker.splatting.triton_tiles import sort_into_tiles, tile_counts


def rasterize(scene: Scene) -> tuple[Tensor, Tensor, dict]:  # [B, H, W, 3], [B, H, W, 1]
    """See `rasterization.rasterize`."""
    means, quats, scales, opacities, colors, viewmats, Ks, width, height = scene[:9]
    _check_device(means.device)
    frames, count, backgrounds = len(viewmats), means.shape[1], scene.backgrounds
    if backgrounds is None:
        backgrounds = means.new_zeros(1, 1, 1, 3).expand(frames, 1, 1, 3)
    if not count:
        return _empty(means, backgrounds, width, height, scene.room)
    with torch.cuda.device_of(means):
        planes = float(scene.near_plane), float(scene.far_plane)
        numbers = width, height, *planes, float(scene.eps2d)
        means2d, covariances, depths, determinants = _Project.apply(means, quats, scales, viewmats, Ks, *numbers)
        if means2d.requires_grad:
            means2d.retain_grad()
        if scene.sh_degree is not None:
            eyes = -(viewmats[:, :3, :3] * viewmats[:, :3, 3:]).sum(1)
            colors = _Shade.apply(means, eyes, colors.flatten(2), scene.sh_degree)
        opacities, colors = opacities.expand(frames, count), colors.expand(frames, count, 3)
        splats = means2d, covariances, determinants, depths, opacities, colors
        image, alpha, radii = _Composite.apply(*splats, backgrounds, width, height, planes, scene.room)
    return image, alpha, {"means2d": means2d, "radii": radii, "depths": depths}


def _check_device(device: torch.device) -> None:
    """Raises GaussianTalkerError where the kernels cannot run."""
    if device.type != "cuda" and isinstance(compositing.composite, triton.JITFunction):
        raise GaussianTalkerError(
            f"Triton renders on NVIDIA and AMD GPUs, not on '{device.type}'; move the tensors to 'cuda' or leave"
            " backend out."
        )


def _empty(
    means: Tensor, backgrounds: Tensor, width: int, height: int, room: Room | None
) -> tuple[Tensor, Tensor, dict]:
    """Pictures of no Gaussians."""
    frames, nothing = len(backgrounds), 0 * means.sum()
    if room:
        room.wanted = means.new_zeros((), dtype=torch.int64)
    image, alpha = backgrounds.expand(frames, height, width, 3) + nothing, means.new_zeros(frames, height, width, 1)
    info = {"means2d": means.new_zeros(frames, 0, 2) + nothing, "depths": means.new_zeros(frames, 0)}
    return image, alpha, info | {"radii": means.new_zeros(frames, 0, 2, dtype=torch.int32)}


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float32).contiguous()


def _stride(tensor: Tensor) -> int:
    """From frame to frame, 0 where they share."""
    return tensor[0].numel() if len(tensor) > 1 else 0


def _for_input(per_frame: Tensor, shared: bool) -> Tensor:
    """The gradient of an attribute [1 or F, N, C] from what each frame gives it [F, N, C]."""
    return per_frame.sum(0, keepdim=True) if shared and len(per_frame) > 1 else per_frame


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means, quats, scales, viewmats, Ks, width, height, near, far, eps2d):
        inputs = [_plain(t) for t in (means, quats, scales, viewmats, Ks)]
        frames, n = len(viewmats), means.shape[1]
        means2d, covariances = means.new_empty(frames, n, 2), means.new_empty(frames, n, 3)
        determinants, depths = means.new_empty(frames, n), means.new_empty(frames, n)
        ctx.grid = triton.cdiv(n, projection.BLOCK), frames
        ctx.numbers = n, *(_stride(t) for t in inputs[:3]), float(width), float(height), near, far
        projection.project[ctx.grid](
            *inputs, means2d, covariances, determinants, depths, *ctx.numbers, eps2d,
            BLOCK=projection.BLOCK, **on_threads(projection.BLOCK),
        )  # fmt: skip
        ctx.save_for_backward(*inputs)
        ctx.mark_non_differentiable(determinants)
        return means2d, covariances, depths, determinants

    @staticmethod
    @once_differentiable
    def backward(ctx, to_means2d, to_covariances, to_depths, _):
        inputs = ctx.saved_tensors
        upstream = [_plain(t) for t in (to_means2d, to_covariances, to_depths)]
        gradients = [t.new_empty(len(to_means2d), *t.shape[1:]) for t in inputs[:3]]
        sums = inputs[0].new_empty(len(to_means2d), ctx.grid[0] if ctx.needs_input_grad[3] else 0, 12)
        projection.project_gradient[ctx.grid](
            *inputs, *upstream, *gradients, sums, *ctx.numbers,
            WANT_VIEWS=sums.numel() > 0, BLOCK=projection.BLOCK, **on_threads(projection.BLOCK),
        )  # fmt: skip
        to_views = None
        if ctx.needs_input_grad[3]:
            rows = sums.sum(1, dtype=torch.float64).float().unflatten(1, (3, 4))
            to_views = torch.nn.functional.pad(rows, (0, 0, 0, 1))
        shared = [len(values) == 1 for values in inputs[:3]]
        return *(_for_input(g, once) for g, once in zip(gradients, shared, strict=True)), to_views, *[None] * 6


class _Shade(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means, eyes, sh, degree):
        inputs = [_plain(t) for t in (means, eyes, sh)]
        frames, n, columns = len(eyes), means.shape[1], sh.shape[2]
        colors = means.new_empty(frames, n, 3)
        ctx.grid, ctx.terms = (triton.cdiv(n, harmonics.BLOCK), frames), (degree + 1) ** 2
        ctx.numbers = n, columns, _stride(inputs[0]), _stride(inputs[2])
        harmonics.shade[ctx.grid](
            *inputs, colors, *ctx.numbers, COUNT=ctx.terms, BLOCK=harmonics.BLOCK, **on_threads(harmonics.BLOCK)
        )
        ctx.save_for_backward(*inputs, colors)
        return colors

    @staticmethod
    @once_differentiable
    def backward(ctx, to_colors):
        means, eyes, sh, colors = ctx.saved_tensors
        to_means = means.new_empty(colors.shape)
        to_sh = means.new_empty(len(colors), *sh.shape[1:])
        to_sh[..., 3 * ctx.terms :] = 0
        harmonics.shade_gradient[ctx.grid](
            means, eyes, sh, colors, _plain(to_colors), to_means, to_sh, *ctx.numbers,
            COUNT=ctx.terms, BLOCK=harmonics.BLOCK, **on_threads(harmonics.BLOCK),
        )  # fmt: skip
        to_eyes = -to_means.sum(1) if ctx.needs_input_grad[1] else None
        return _for_input(to_means, len(means) == 1), to_eyes, _for_input(to_sh, len(sh) == 1), None


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means2d, covariances, determinants, depths, opacities, colors, backgrounds, *numbers):
        width, height, planes, room = numbers
        frames = len(depths)
        splats = [_plain(t) for t in (means2d, covariances, determinants, depths, opacities, colors)]
        lists = sort_into_tiles(splats, planes, width, height, room)
        keep = any(ctx.needs_input_grad)
        across, down = tile_counts(width, height)
        tiles = across * down
        image, alpha = means2d.new_empty(frames, height, width, 3), means2d.new_empty(frames, height, width, 1)
        final_t = means2d.new_empty(frames if keep else 0, tiles, TILE**2)
        stops = torch.empty_like(final_t, dtype=torch.int32)
        # A colour is read as a picture whose rows and columns are all the same.
        behind = backgrounds.detach().to(torch.float32)
        behind = (behind if behind.shape[1:3] == (1, 1) else behind.contiguous()).expand(frames, height, width, 3)
        behind = behind if behind.stride(3) == 1 else behind.contiguous()
        ctx.sizes = len(lists.slots), width, height, across, tiles, *behind.stride()[:3]
        ctx.grid = tiles, frames
        compositing.composite[ctx.grid](
            lists.entries, lists.begins, behind, image, alpha, final_t, stops, *ctx.sizes,
            KEEP=keep, CHUNK=compositing.CHUNK, **on_threads(compositing.THREADS),
        )  # fmt: skip
        ctx.of_one_colour = tuple(backgrounds.shape[1:3]) == (1, 1)
        if keep:
            table, entries, slots, begins, counts, ends, _ = lists
            ctx.save_for_backward(table, entries, slots, begins, counts, ends, behind, alpha, final_t, stops, splats[4])
        ctx.mark_non_differentiable(lists.radii)
        return image, alpha, lists.radii

    @staticmethod
    @once_differentiable
    def backward(ctx, image_grad, alpha_grad, _):
        table, entries, slots, begins, counts, ends, behind, alpha, final_t, stops, opacities = ctx.saved_tensors
        image_grad, alpha_grad = _plain(image_grad), _plain(alpha_grad)
        sums = table.new_zeros(len(slots), compositing.SUMS)
        compositing.composite_gradient[ctx.grid](
            entries, slots, begins, behind, image_grad, alpha_grad, final_t, stops, sums, *ctx.sizes,
            CHUNK=compositing.CHUNK, **on_threads(compositing.GRADIENT_THREADS),
        )  # fmt: skip
        frames, n = opacities.shape
        to_means2d, to_covariances = table.new_empty(frames, n, 2), table.new_empty(frames, n, 3)
        to_opacities, to_colors = table.new_empty(frames, n), table.new_empty(frames, n, 3)
        compositing.splat_gradient[(triton.cdiv(frames * n, compositing.BLOCK),)](
            table, ends, counts, sums, opacities, to_means2d, to_covariances, to_opacities, to_colors,
            frames * n, len(slots),
            BLOCK=compositing.BLOCK, **on_threads(compositing.BLOCK),
        )  # fmt: skip
        to_background = None
        if ctx.needs_input_grad[6]:
            to_background = image_grad * (1 - alpha)
            if ctx.of_one_colour:
                to_background = to_background.sum((1, 2), keepdim=True)
        return to_means2d, to_covariances, None, None, to_opacities, to_colors, to_background, *[None] * 4
