"""How the number of Gaussians changes while the canonical head is learnt, chosen by name or given as a value."""

from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any, Protocol

from torch import Tensor

from gaussiantalker.splatting.densify import CloneSplitPrune, Optimizers, Params
from gaussiantalker.splatting.mcmc import MarkovChain
from gaussiantalker.training.schedule import Schedule

STRATEGY = "clone-split-prune"


class Strategy(Protocol):
    """gsplat's calls around a backward pass (see `splatting.densify`), and what Gaussians cost."""

    def initialize_state(self, scene_scale: float = 1.0) -> dict[str, Any]:
        """Tensors, numbers and None by name: they are kept in checkpoints."""
        ...

    def step_pre_backward(self, params: Params, optimizers: Optimizers, state: dict, step: int, info: dict) -> None: ...

    def step_post_backward(
        self, params: Params, optimizers: Optimizers, state: dict, step: int, info: dict
    ) -> None: ...

    def cost(self, opacities: Tensor, scales: Tensor) -> Tensor | None:
        """What is added to the loss for opacities [N] and scales [N, 3]."""
        ...


def _clone_split_prune(schedule: Schedule) -> CloneSplitPrune:
    """With the public code's shares of the canonical stage."""
    return CloneSplitPrune(
        grow_after=schedule.canonical_steps // 8,
        prune_after=schedule.canonical_steps // 16,
        refine_until=schedule.canonical_steps * 7 // 8,
        prune_big_after=schedule.canonical_steps * 3 // 8,
        grow_below=schedule.grow_below,
    )


def _markov_chain(schedule: Schedule) -> MarkovChain:
    return MarkovChain(
        refine_after=schedule.canonical_steps // 16,
        refine_until=schedule.canonical_steps * 7 // 8,
        most=schedule.grow_below,
    )


STRATEGIES: dict[str, Callable[[Schedule], Strategy]] = {
    STRATEGY: _clone_split_prune,
    "markov-chain": _markov_chain,
}


def described(strategy: str | Strategy) -> dict[str, Any] | str:
    """What a recipe tells of a strategy: the name, or the class and its numbers."""
    if isinstance(strategy, str):
        return strategy
    return {"class": type(strategy).__qualname__, **(asdict(strategy) if is_dataclass(strategy) else {})}
