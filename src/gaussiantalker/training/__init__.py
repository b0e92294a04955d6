"""Training: a capture in, an avatar out."""

from gaussiantalker.training.losses import Loss, PhotometricLoss
from gaussiantalker.training.schedule import SCHEDULES, Schedule
from gaussiantalker.training.strategies import STRATEGIES, Strategy
from gaussiantalker.training.train import train
from gaussiantalker.training.trainer import Trainer

__all__ = [
    "SCHEDULES",
    "STRATEGIES",
    "Loss",
    "PhotometricLoss",
    "Schedule",
    "Strategy",
    "Trainer",
    "train",
]
