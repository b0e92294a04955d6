"""Growing and thinning out Gaussians while they train: clone, split and prune of Kerbl et al. 2023, section 5.2.

As in gsplat, a strategy is a frozen set of numbers and its state a plain dict, so both can be written down and
resumed. Around each backward pass the trainer calls

    strategy.step_pre_backward(params, optimizers, state, step, info)
    loss.backward()
    strategy.step_post_backward(params, optimizers, state, step, info)

with `info` from `rasterize`. `params` hold the fields of `Gaussians` by name, and may hold more per-Gaussian tensors;
`optimizers` holds the optimizer of each (several names may share one). Parameters are replaced in both dicts' objects,
so nothing else may keep them.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter, ParameterDict
from torch.optim import Optimizer

from gaussiantalker.splatting.reference import rotation_matrices

Params = MutableMapping[str, Parameter] | ParameterDict
Optimizers = Mapping[str, Optimizer]


@dataclass(frozen=True)
class CloneSplitPrune:
    """Defaults are GaussianTalker's (its public training options); lengths are fractions of the scene scale."""

    refine_every: int = 100
    grow_after: int = 1000
    prune_after: int = 500
    refine_until: int = 7000
    grow_grad2d: float = 1e-3
    """Mean gradient of a Gaussian's place in the picture, in half picture sizes, from which it is cloned or split."""
    grow_scale3d: float = 0.01
    """Gaussians up to this size are cloned, larger ones split."""
    grow_below: int = 50_000
    """No growth once there are this many Gaussians; the last growth may end above it."""
    prune_opacity: float = 0.005
    prune_big_after: int = 3000
    prune_scale3d: float = 0.1
    prune_radius: float = 20.0
    """Pixels, largest since the last refinement."""

    def initialize_state(self, scene_scale: float = 1.0) -> dict:
        """`scene_scale` is the radius of the object, or of the cameras' positions, in world units."""
        return {"scene_scale": scene_scale, "grad2d": None, "seen": None, "radius": None}

    def cost(self, opacities: Tensor, scales: Tensor) -> Tensor | None:
        """Nothing is added to the loss."""
        return None

    def step_pre_backward(self, params: Params, optimizers: Optimizers, state: dict, step: int, info: dict) -> None:
        if step < self.refine_until and info["means2d"].requires_grad:
            info["means2d"].retain_grad()

    def step_post_backward(self, params: Params, optimizers: Optimizers, state: dict, step: int, info: dict) -> None:
        if step >= self.refine_until:
            return
        _accumulate(state, info)
        if step == 0 or step % self.refine_every:
            return
        if step > self.grow_after and len(params["means"]) < self.grow_below:
            self._grow(params, optimizers, state)
        if step > self.prune_after:
            self._prune(params, optimizers, state, step)
        state.update(grad2d=None, seen=None, radius=None)

    @torch.no_grad()
    def _grow(self, params: Params, optimizers: Optimizers, state: dict) -> None:
        wanted = state["grad2d"] / state["seen"].clamp_min(1) >= self.grow_grad2d
        small = params["log_scales"].exp().amax(-1) <= self.grow_scale3d * state["scene_scale"]
        clone, split = wanted & small, wanted & ~small
        rows = torch.cat([torch.nonzero(~split)[:, 0], torch.nonzero(clone)[:, 0]])
        rows = torch.cat([rows, *[torch.nonzero(split)[:, 0]] * 2])
        halves = len(rows) - 2 * int(split.sum())
        new = len(wanted) - int(split.sum())
        values = {name: parameter[rows] for name, parameter in params.items()}
        scales = values["log_scales"][halves:].exp()
        offsets = scales * torch.randn_like(scales)
        values["means"][halves:] += (rotation_matrices(values["quats"][halves:]) @ offsets[..., None])[..., 0]
        values["log_scales"][halves:] = (scales / (0.8 * 2)).log()
        replace(params, optimizers, values, lambda moment: moment[rows].index_fill_(0, _from(new, rows), 0))
        state["radius"] = state["radius"][rows].index_fill_(0, _from(new, rows), 0)

    @torch.no_grad()
    def _prune(self, params: Params, optimizers: Optimizers, state: dict, step: int) -> None:
        keep = params["opacity_logits"].sigmoid() >= self.prune_opacity
        if step > self.prune_big_after:
            keep &= params["log_scales"].exp().amax(-1) <= self.prune_scale3d * state["scene_scale"]
            keep &= state["radius"] <= self.prune_radius
        if not keep.all() and keep.any():
            values = {name: parameter[keep] for name, parameter in params.items()}
            replace(params, optimizers, values, lambda moment: moment[keep])


def _from(first: int, rows: Tensor) -> Tensor:
    return torch.arange(first, len(rows), device=rows.device)


@torch.no_grad()
def _accumulate(state: dict, info: dict) -> None:
    """Adds this step's gradients of means2d [.., N, 2], scaled from the mean over frames in pixels to half pictures."""
    count = info["means2d"].shape[-2]
    gradients, radii = info["means2d"].grad.reshape(-1, count, 2), info["radii"].reshape(-1, count, 2).amax(-1)
    half_size = gradients.new_tensor([info["width"], info["height"]]) / 2
    norms = (gradients * half_size * len(gradients)).norm(dim=-1)
    visible = radii > 0
    sums = {"grad2d": (norms * visible).sum(0), "seen": visible.sum(0)}
    for name, value in sums.items():
        state[name] = value if state[name] is None else state[name] + value
    largest = radii.amax(0).float()
    state["radius"] = largest if state["radius"] is None else torch.maximum(state["radius"], largest)


def replace(
    params: Params, optimizers: Optimizers, values: dict[str, Tensor], moments: Callable[[Tensor], Tensor]
) -> None:
    """Puts new values in the place of parameters; `moments` carries over what the optimizer remembers per row."""
    for name, value in values.items():
        old, new = params[name], Parameter(value.detach(), requires_grad=params[name].requires_grad)
        params[name] = new
        if name not in optimizers:
            continue
        for group in optimizers[name].param_groups:
            group["params"] = [new if parameter is old else parameter for parameter in group["params"]]
        memory = optimizers[name].state.pop(old, None)
        if memory is not None:
            rows = {k: isinstance(v, Tensor) and v.shape == old.shape for k, v in memory.items()}
            optimizers[name].state[new] = {k: moments(v) if rows[k] else v for k, v in memory.items()}
