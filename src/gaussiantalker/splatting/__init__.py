"""Gaussians to pixels, differentiably, on a CPU or a GPU."""

from gaussiantalker.splatting.densify import CloneSplitPrune
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.splatting.mcmc import MarkovChain
from gaussiantalker.splatting.ply import read_ply, write_ply
from gaussiantalker.splatting.rasterization import rasterize

__all__ = ["CloneSplitPrune", "Gaussians", "MarkovChain", "rasterize", "read_ply", "write_ply"]
