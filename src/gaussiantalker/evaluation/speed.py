"""How fast pictures come, one at a time."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

T = TypeVar("T")
WARM_UP = 5  # first pictures that do not count: code is compiled and memory is fetched


@dataclass
class Stopwatch:
    """Lets things through and keeps the seconds, on its clock, that it waited for each."""

    waits: list[float] = field(default_factory=list)
    clock: Callable[[], float] = time.perf_counter

    def watch(self, things: Iterable[T]) -> Iterator[T]:
        iterator = iter(things)
        while True:
            began = self.clock()
            try:
                thing = next(iterator)
            except StopIteration:
                return
            self.waits.append(self.clock() - began)
            yield thing

    @property
    def counted(self) -> np.ndarray:  # [N] seconds
        return np.array(self.waits[WARM_UP:])

    @property
    def per_second(self) -> float:
        return len(self.counted) / float(self.counted.sum())

    def percentile(self, percent: float) -> float:
        """Milliseconds that this share of the pictures took at most."""
        return float(np.percentile(self.counted, percent) * 1000)
