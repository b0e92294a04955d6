"""Perception: how alike two pictures look, to training and to evaluation."""

from gaussiantalker.perception.lpips import Lpips

__all__ = ["Lpips"]
