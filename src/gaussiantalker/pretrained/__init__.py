"""Pretrained models of others: where each comes from, under which licence, and how it gets here unchanged."""

from gaussiantalker.pretrained.fetch import path
from gaussiantalker.pretrained.registry import MODELS, Model

__all__ = ["MODELS", "Model", "path"]
