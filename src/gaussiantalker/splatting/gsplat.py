"""The rasterizer for NVIDIA GPUs: gsplat (Ye et al. 2025), as documented for its version 1.5.

gsplat compiles itself for the GPU at hand when it is first used, which takes minutes and needs the CUDA toolkit.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting.scene import Scene


def rasterize(scene: Scene) -> tuple[Tensor, Tensor, dict]:  # [B, H, W, 3], [B, H, W, 1]
    """See `rasterization.rasterize`. The info's tensors are gsplat's own: [B, 1, N, 2] for Gaussians per frame."""
    attributes, viewmats, Ks = list(scene[:5]), scene.viewmats, scene.Ks
    shared = all(len(values) == 1 for values in attributes)
    if shared:  # one scene before B cameras
        attributes, cameras = [values[0] for values in attributes], (viewmats, Ks)
    else:  # B scenes, each before a camera of its own
        attributes = [values.expand(len(viewmats), *values.shape[1:]) for values in attributes]
        cameras = viewmats[:, None], Ks[:, None]
    options = {name: getattr(scene, name) for name in ("sh_degree", "near_plane", "far_plane", "eps2d")}
    # A head fills the picture, so nearly every Gaussian is seen and packing would only cost time.
    image, alpha, info = _rasterization(scene.means.device)(
        *attributes, *cameras, scene.width, scene.height, packed=False, **options
    )
    if info["means2d"].requires_grad:
        info["means2d"].retain_grad()
    if not shared:
        image, alpha = image[:, 0], alpha[:, 0]
    if scene.backgrounds is not None:
        image = image + (1 - alpha) * scene.backgrounds
    return image, alpha, {name: info[name] for name in ("means2d", "radii", "depths")}


@cache
def _rasterization(device: torch.device) -> Callable:
    """gsplat's function, once it has rendered one Gaussian on this device.

    Raises GaussianTalkerError that says what is missing.
    """
    if device.type != "cuda":
        raise GaussianTalkerError(
            f"gsplat renders on NVIDIA GPUs, not on '{device.type}'; move the tensors to 'cuda' or leave backend out."
        )
    try:
        from gsplat import rasterization  # pyright: ignore[reportAttributeAccessIssue]  # it finds this file
    except ImportError as error:
        raise GaussianTalkerError(
            "Rendering on an NVIDIA GPU needs gsplat: pip install 'gaussiantalker[gsplat]'"
            f" (importing it failed with: {error})."
        ) from error
    try:
        one, eye = torch.ones(1, 3, device=device), torch.eye(4, device=device)
        rasterization(one, eye[:1], one, one[:, 0], one, eye[None], eye[None, :3, :3], 16, 16, packed=False)
    except Exception as error:  # its build fails in as many ways as there are compilers
        raise GaussianTalkerError(
            "gsplat is installed but cannot be built for this GPU; install a CUDA toolkit (nvcc) of the version"
            f" that torch was built with, {torch.version.cuda}, or render on the CPU"
            f" ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'})."
        ) from error
    return rasterization
