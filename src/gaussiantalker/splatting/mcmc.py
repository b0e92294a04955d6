"""Gaussians as samples of a Markov chain: dead ones move to where live ones are (Kheradmand et al. 2024).

An alternative to `densify.CloneSplitPrune` with the same calls. The trainer adds `cost` to the loss: only then do
unneeded Gaussians die.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gaussiantalker.splatting.densify import Optimizers, Params, replace
from gaussiantalker.splatting.reference import rotation_matrices

_MOST_SHARES = 51  # the table of binomials in the authors' code ends here
_STEEPNESS, _THRESHOLD = 100.0, 0.995


@dataclass(frozen=True)
class MarkovChain:
    """Defaults are the paper's."""

    refine_every: int = 100
    refine_after: int = 500
    refine_until: int = 25_000
    most: int = 50_000
    growth: float = 1.05
    """At each refinement the number grows by this factor until it is `most`."""
    dead_opacity: float = 0.005
    noise: float = 5e5
    """Times the learning rate of the means, times each covariance: how far nearly dead Gaussians wander per step."""
    weight_opacity: float = 0.01
    weight_scale: float = 0.01

    def initialize_state(self, scene_scale: float = 1.0) -> dict:
        return {}

    def cost(self, opacities: Tensor, scales: Tensor) -> Tensor:
        """What is added to the loss for opacities [N] and scales [N, 3] (equation 10)."""
        return self.weight_opacity * opacities.mean() + self.weight_scale * scales.mean()

    def step_pre_backward(self, params: Params, optimizers: Optimizers, state: dict, step: int, info: dict) -> None:
        pass

    @torch.no_grad()
    def step_post_backward(self, params: Params, optimizers: Optimizers, state: dict, step: int, info: dict) -> None:
        if self.refine_after < step < self.refine_until and step % self.refine_every == 0:
            self._relocate(params, optimizers)
            self._add(params, optimizers)
        self._wander(params, _learning_rate(params, optimizers))

    def _relocate(self, params: Params, optimizers: Optimizers) -> None:
        opacities = params["opacity_logits"].sigmoid()
        dead = torch.nonzero(opacities <= self.dead_opacity)[:, 0]
        alive = torch.nonzero(opacities > self.dead_opacity)[:, 0]
        if len(dead) and len(alive):
            chosen = alive[torch.multinomial(opacities[alive], len(dead), replacement=True)]
            self._share(params, optimizers, chosen, dead)

    def _add(self, params: Params, optimizers: Optimizers) -> None:
        count = len(params["means"])
        wanted = min(self.most, int(self.growth * count)) - count
        if wanted > 0:
            chosen = torch.multinomial(params["opacity_logits"].sigmoid(), wanted, replacement=True)
            self._share(params, optimizers, chosen, None)

    def _share(self, params: Params, optimizers: Optimizers, chosen: Tensor, into: Tensor | None) -> None:
        """Lets each chosen Gaussian be shared with new ones, in the places `into` or appended, together as before."""
        count = len(params["means"])
        shares = torch.bincount(chosen, minlength=count)[chosen] + 1
        opacities = params["opacity_logits"].sigmoid()[chosen]
        shared, shrink = _shared(opacities, shares)
        values = {name: parameter.detach().clone() for name, parameter in params.items()}
        # A Gaussian chosen several times is written as often with the same numbers, so no += here.
        values["opacity_logits"][chosen] = shared.clamp(self.dead_opacity, 1 - 1e-6).logit()
        values["log_scales"][chosen] = values["log_scales"][chosen] + shrink.log()[:, None]
        if into is None:
            values = {name: torch.cat([value, value[chosen]]) for name, value in values.items()}
        else:
            for value in values.values():
                value[into] = value[chosen]

        def forget(moment: Tensor) -> Tensor:
            moment = moment.index_fill(0, chosen, 0)
            if into is not None:
                return moment.index_fill_(0, into, 0)
            return torch.cat([moment, moment.new_zeros(len(chosen), *moment.shape[1:])])

        replace(params, optimizers, values, forget)

    def _wander(self, params: Params, learning_rate: float) -> None:
        """Equation 8: noise shaped by the covariance, for Gaussians that are almost transparent."""
        opacities = params["opacity_logits"].sigmoid()
        size = torch.sigmoid(_STEEPNESS * (1 - opacities - _THRESHOLD)) * self.noise * learning_rate
        axes = rotation_matrices(params["quats"]) * params["log_scales"].exp()[:, None]
        noise = torch.randn_like(params["means"]) * size[:, None]
        params["means"].add_((axes @ (axes.transpose(1, 2) @ noise[..., None]))[..., 0])


def _shared(opacities: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Opacity, and factor on the scales, of each of n equal Gaussians that together look like one (equation 9).

    The double sum of the paper is a single one, since sum_{i <= n} C(i - 1, k) = C(n, k + 1):
    D = sum_{j = 1..n} C(n, j) (-1)^(j - 1) o'^j / sqrt(j). In float64, for its terms alternate and are large.
    """
    n = shares.clamp_max(_MOST_SHARES).double()[:, None]
    old = opacities.double()
    new = 1 - (1 - old) ** (1 / n[:, 0])
    j = torch.arange(1, _MOST_SHARES + 1, device=n.device, dtype=torch.float64)
    log_binomials = torch.lgamma(n + 1) - torch.lgamma(j + 1) - torch.lgamma((n - j + 1).clamp_min(1))
    signs = 1 - 2 * ((j - 1) % 2)
    terms = signs * torch.exp(log_binomials + j * new[:, None].log()) / j.sqrt()
    denominators = torch.where(j <= n, terms, 0).sum(1)
    return new.to(opacities.dtype), (old / denominators).to(opacities.dtype)


def _learning_rate(params: Params, optimizers: Optimizers) -> float:
    """The rate of the means, wherever their optimizer keeps it."""
    groups = optimizers["means"].param_groups
    return next(group["lr"] for group in groups if any(p is params["means"] for p in group["params"]))
