"""Evaluation: every number with its region, its model and its count, and a report people look at."""

from gaussiantalker.evaluation.assessment import evaluate, headlines
from gaussiantalker.evaluation.reproduction import Materials, reproduce
from gaussiantalker.evaluation.side_by_side import compare

__all__ = ["Materials", "compare", "evaluate", "headlines", "reproduce"]
