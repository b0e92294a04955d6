"""Blinks where none were recorded: as often, as irregular and as quick as people's."""

import numpy as np

from gaussiantalker.timing import FPS

MEDIAN_SECONDS, SPREAD, SHORTEST_SECONDS = 3.0, 0.5, 0.8
"""Between blinks; log-normal, 18 a minute: at rest people blink 17 times, in talk 26 (Bentivoglio et al. 1997)."""
CLOSING = np.array([0.3, 0.85, 1.0, 1.0, 0.75, 0.5, 0.3, 0.15, 0.05])  # at 25 a second: shut faster than opened


class Blinks:
    """The blink at any frame of a performance of any length; the same for the same seed."""

    def __init__(self, opened: float, shut: float, seed: int = 0):
        """`opened` and `shut` are what the person's eyes show when they are, in [0, 1]."""
        self.opened, self.shut = opened, shut
        self._random = np.random.default_rng(seed)
        self._starts = [self._pause()]

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Blinks [B] of frames [B]."""
        while self._starts[-1] <= np.max(frames, initial=0):
            self._starts.append(self._starts[-1] + len(CLOSING) + self._pause())
        starts = np.array(self._starts)
        since = frames - np.concatenate([[-len(CLOSING)], starts])[np.searchsorted(starts, frames, side="right")]
        lids = np.append(CLOSING, 0.0)[np.clip(since, 0, len(CLOSING))]
        return self.opened + (self.shut - self.opened) * lids

    def _pause(self) -> int:
        seconds = MEDIAN_SECONDS * np.exp(SPREAD * self._random.standard_normal())
        return round(max(seconds, SHORTEST_SECONDS) * FPS)
