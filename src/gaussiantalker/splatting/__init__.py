"""Gaussians to pixels, differentiably, on a CPU or an NVIDIA GPU."""

from .rasterization import rasterize

__all__ = ["rasterize"]
