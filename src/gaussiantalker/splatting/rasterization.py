"""One interface to four rasterizers."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting.scene import Room, Scene

_Backend = Literal["numba", "triton", "gsplat", "reference"]


def rasterize(
    means: Tensor,  # [N, 3] or [B, N, 3]
    quats: Tensor,  # [.., N, 4] wxyz, any length
    scales: Tensor,  # [.., N, 3] standard deviations
    opacities: Tensor,  # [.., N] in [0, 1]
    colors: Tensor,  # [.., N, 3]; with sh_degree, coefficients [.., N, K, 3]
    viewmats: Tensor,  # [B, 4, 4] world to camera
    Ks: Tensor,  # [B, 3, 3] or [3, 3], pixels
    width: int,
    height: int,
    *,
    sh_degree: int | None = None,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    eps2d: float = 0.3,
    backgrounds: Tensor | None = None,
    backend: _Backend | None = None,
    room: Room | None = None,
) -> tuple[Tensor, Tensor, dict]:  # [B, H, W, 3], [B, H, W, 1]
    """Renders Gaussians for B frames of one size; names, shapes and rules are gsplat 1.5's.

    Every attribute may be shared by the frames or differ in each of them. `backgrounds` is a colour [B, 3] or [3],
    or a picture [B, H, W, 3] or [H, W, 3], and shows where alpha is below one; black otherwise.

    Gradients reach every tensor but Ks. The info's `means2d` [B, N, 2] keeps its gradient (pixels) for
    densification; `radii` [B, N, 2] are whole pixels, zero where a Gaussian is not seen; `depths` [B, N].

    `backend` is chosen by device unless named: `numba` on CPU (float32), `triton` on CUDA and ROCm. By name there is
    `gsplat` on CUDA (the extra `gsplat`), and `reference` anywhere and in any float type, slowly.

    `room` is `triton`'s alone: with it, the host never waits for the device, see `Room`.
    """
    frames, count = len(viewmats), means.shape[-2]
    scene = Scene(
        _per_frame("means", means, 1, count, frames),
        _per_frame("quats", quats, 1, count, frames),
        _per_frame("scales", scales, 1, count, frames),
        _per_frame("opacities", opacities, 0, count, frames),
        _per_frame("colors", colors, 1 if sh_degree is None else 2, count, frames),
        viewmats,
        Ks.expand(frames, 3, 3),
        width,
        height,
        sh_degree,
        near_plane,
        far_plane,
        eps2d,
        _background(backgrounds, frames, width, height),
        room,
    )
    _check(scene)
    image, alpha, info = _renderer(backend or _backend_for(means))(scene)
    return image, alpha, info | {"width": width, "height": height, "n_cameras": frames, "gaussian_ids": None}


def _per_frame(name: str, tensor: Tensor, dims: int, count: int, frames: int) -> Tensor:
    """[N, ...] or [B, N, ...] to [1, N, ...] or [B, N, ...]."""
    shape = tensor.shape
    if len(shape) == dims + 1:
        tensor = tensor[None]
    if tensor.ndim != dims + 2 or tensor.shape[1] != count or tensor.shape[0] not in (1, frames):
        raise GaussianTalkerError(
            f"{name} of shape {list(shape)} fit neither {count} Gaussians nor {frames} frames of them;"
            " give one set or one per frame."
        )
    return tensor


def _background(backgrounds: Tensor | None, frames: int, width: int, height: int) -> Tensor | None:
    """[B, H, W, 3] or [B, 1, 1, 3]."""
    if backgrounds is None:
        return None
    if backgrounds.ndim == 1 or backgrounds.shape == (frames, 3):
        return backgrounds.reshape(-1, 1, 1, 3).expand(frames, 1, 1, 3)
    if backgrounds.shape[-3:] != (height, width, 3):
        raise GaussianTalkerError(
            f"Backgrounds of shape {list(backgrounds.shape)} are neither colours [{frames}, 3] nor pictures"
            f" [{frames}, {height}, {width}, 3]; resize them to the picture."
        )
    return backgrounds.expand(frames, height, width, 3)


def _check(scene: Scene) -> None:
    colors, degree = scene.colors, scene.sh_degree
    if degree is not None and not (0 <= degree <= 3 and colors.shape[2] >= (degree + 1) ** 2):
        raise GaussianTalkerError(
            f"sh_degree {degree} needs 0 to 3 and (degree + 1)^2 coefficients, but colors hold {colors.shape[2]};"
            " lower the degree."
        )
    if colors.shape[-1] != 3:
        raise GaussianTalkerError(f"Colors have {colors.shape[-1]} channels; only three can be rasterized at once.")
    if scene.width < 1 or scene.height < 1:
        size = f"{scene.width}x{scene.height}"
        raise GaussianTalkerError(f"A picture of {size} pixels cannot be rendered; give a positive size.")
    if scene.near_plane <= 0:
        raise GaussianTalkerError(f"near_plane is {scene.near_plane}; it must be positive, in front of the camera.")


def _backend_for(means: Tensor) -> _Backend:
    if means.device.type == "cuda":
        return "triton"
    return "numba" if means.device.type == "cpu" and means.dtype == torch.float32 else "reference"


def _renderer(name: _Backend) -> Callable[[Scene], tuple[Tensor, Tensor, dict]]:
    """Each backend is imported when it is first used: they take a while and may be missing."""
    if name == "numba":
        from gaussiantalker.splatting.cpu import rasterize as renderer
    elif name == "triton":
        renderer = _triton()
    elif name == "gsplat":
        from gaussiantalker.splatting.gsplat import rasterize as renderer
    elif name == "reference":
        from gaussiantalker.splatting.reference import rasterize as renderer
    else:
        raise GaussianTalkerError(f"There is no rasterizer '{name}'; choose numba, triton, gsplat or reference.")
    return renderer


def _triton():
    try:
        from gaussiantalker.splatting.gpu import rasterize
    except ImportError as error:
        raise GaussianTalkerError(
            "Rendering on a GPU needs Triton, which comes with torch's builds for CUDA and ROCm on Linux: pip install"
            f" triton (importing it failed with: {error})."
        ) from error
    return rasterize
