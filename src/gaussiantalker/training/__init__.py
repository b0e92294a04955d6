"""Training: a capture in, an avatar out."""

from gaussiantalker.training.schedule import SCHEDULES, Schedule
from gaussiantalker.training.train import train

__all__ = ["SCHEDULES", "Schedule", "train"]
