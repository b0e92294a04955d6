"""Gaussians to pixels, differentiably, on a CPU or an NVIDIA GPU."""

from .densify import CloneSplitPrune
from .gaussians import Gaussians
from .memory import keep_memory
from .rasterization import rasterize

__all__ = ["CloneSplitPrune", "Gaussians", "keep_memory", "rasterize"]
