"""Evaluation: every number with its region, its model and its count, and a report people look at."""

from gaussiantalker.evaluation.assessment import evaluate, headlines

__all__ = ["evaluate", "headlines"]
