"""What each way of joining sound and place costs: is EGSTalker's agent attention faster than cross-attention?

    python benchmarks/fusion.py [--gaussians 15000 40000]

CPU milliseconds of one layer on one thread, the median of some laps, without and with its gradients; ratios to
cross-attention in the same run. The feed-forward block that follows is the same for all and shown by itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch
import tyro
from rich.console import Console
from rich.table import Table

from gaussiantalker.hardware import keep_memory
from gaussiantalker.talker import fast_products, find_method
from gaussiantalker.talker.fusion import FusionLayer
from gaussiantalker.talker.parts import FUSIONS

LAPS, TOKENS = 9, 4
STAR = find_method("gaussiantalker-star")
WIDTH = STAR.plane_channels * len(STAR.resolutions)


@dataclass
class Options:
    gaussians: tuple[int, ...] = (15_000, 40_000)
    """Numbers of Gaussians."""


def variants() -> dict[str, FusionLayer]:
    """Layers of GaussianTalker*'s width."""
    named = {
        name: FUSIONS[name](replace(STAR, fusion=name), WIDTH) for name in ("cross", "concatenation", "multiplication")
    }
    return named | {
        f"agent, {agents}": FUSIONS["agent"](replace(STAR, agents=agents), WIDTH) for agents in (16, 64, 200)
    }


def cpu_ms(function: Callable[[], None]) -> float:
    function()
    laps = []
    for _ in range(LAPS):
        started = time.process_time()
        function()
        laps.append(1000 * (time.process_time() - started))
    return median(laps)


@fast_products()
def measure(layer: FusionLayer, z: torch.Tensor, tokens: torch.Tensor) -> tuple[float, float, float]:
    """Milliseconds of the mixing alone, of the feed-forward block alone, and of the mixing with its gradients."""

    def both() -> None:
        layer.mix(z, tokens).sum().backward()

    with torch.no_grad():
        alone, block = cpu_ms(lambda: layer.mix(z, tokens)), cpu_ms(lambda: layer.feedforward(z))
    return alone, block, cpu_ms(both)


def main(options: Options) -> None:
    """What each way of joining sound and place costs: is EGSTalker's agent attention faster than cross-attention?"""
    keep_memory()
    torch.set_num_threads(1)
    table = Table("Gaussians", "fusion", "mixing", "/ cross", "+ gradients", "/ cross", "feed-forward block")
    for count in options.gaussians:
        z = torch.randn(1, count, WIDTH).requires_grad_()
        tokens = torch.randn(1, TOKENS, WIDTH).requires_grad_()
        first = None
        for name, layer in variants().items():
            alone, block, both = measure(layer, z, tokens)
            first = first or (alone, both)
            cells = f"{alone:.2f}", f"{alone / first[0]:.1f}", f"{both:.2f}", f"{both / first[1]:.1f}", f"{block:.2f}"
            table.add_row(f"{count:,}", name, *cells)
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
