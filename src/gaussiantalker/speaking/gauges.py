"""What a live avatar measures of itself."""

from collections import deque
from collections.abc import Iterable

import numpy as np

_KEPT = 500  # values of each kind: twenty seconds of frames

STAGES = ("hearing", "rendering", "encoding")  # the last is told by whoever encodes


class Gauges:
    """Counts since the beginning, and the last values of what varies, in seconds."""

    def __init__(self) -> None:
        self.frames = self.spoken = self.late = 0  # frames given out, those with speech, those without their picture
        self.seconds = {stage: deque(maxlen=_KEPT) for stage in STAGES}  # of work, per picture
        self.latency: deque[float] = deque(maxlen=_KEPT)  # from the first sound of a segment to its first frame
        self.offset: deque[float] = deque(maxlen=_KEPT)  # age of the picture on screen against the sound, per frame


def percentiles(values: Iterable[float], *wanted: float) -> list[float]:
    """The wanted percentiles; zeros where there are no values."""
    values = list(values)
    return [float(value) for value in np.percentile(values, wanted)] if values else [0.0] * len(wanted)
