"""Reproduction: trains and measures the papers' tables, and puts paper and here side by side."""

from gaussiantalker.reproduction.experiments import reproduce

__all__ = ["reproduce"]
