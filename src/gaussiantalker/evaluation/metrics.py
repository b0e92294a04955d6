"""The registry of all metrics."""

from collections.abc import Collection

from gaussiantalker.evaluation import baking, costs, likeness, lse, mouth, pictures, units
from gaussiantalker.evaluation.held_out import Rendering
from gaussiantalker.evaluation.record import Measured

_FILES = pictures, baking, likeness, lse, mouth, units, costs
METRICS = {metric.key: metric for file in _FILES for metric in file.METRICS}


def measure(rendering: Rendering, keys: Collection[str] = tuple(METRICS)) -> dict[str, Measured]:
    """The metrics of these keys, and why, where one cannot be measured; what nobody asks for is not computed."""
    return {key: METRICS[key].of(rendering) for key in keys}
