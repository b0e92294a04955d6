"""Evaluation: every number with its region, its model and its count, and a report people look at."""

from gaussiantalker.evaluation.assessment import evaluate
from gaussiantalker.evaluation.headlines import headlines
from gaussiantalker.evaluation.side_by_side import compare

__all__ = ["compare", "evaluate", "headlines"]
