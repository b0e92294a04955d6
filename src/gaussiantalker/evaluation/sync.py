"""How well a mouth follows the sound."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gaussiantalker.timing import FPS

FEWEST = 10  # frames below which a correlation says nothing
_MAX_LAG = 10  # frames
_LEAST_PEAK = 0.3
_STRENGTHS = np.logspace(1, 6, 11)


def correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's r of two series [N] where both are finite; None for fewer than 10 values or one that never moves."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < FEWEST or np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def lag(late: np.ndarray, reference: np.ndarray, max_lag: int = _MAX_LAG) -> float | None:
    """Seconds by which `late` [N] follows `reference` [N]: where their correlation is greatest, between frames by a
    parabola through the three values about it. None where the correlation has no peak inside +-max_lag frames, or one
    below r = 0.3, whose place is chance.
    """
    shifts = np.arange(-max_lag, max_lag + 1)
    n = len(reference)
    if n < max_lag + FEWEST:
        return None
    found = (correlation(late[max(s, 0) : n + min(s, 0)], reference[max(-s, 0) : n - max(s, 0)]) for s in shifts)
    values = [value for value in found if value is not None]
    if len(values) < len(shifts):
        return None
    best = int(np.argmax(values))
    if best in (0, len(shifts) - 1) or values[best] < _LEAST_PEAK:
        return None
    before, peak, after = values[best - 1 : best + 2]
    bend = before - 2 * peak + after
    return float(shifts[best] + (0.5 * (before - after) / bend if bend < 0 else 0.0)) / FPS


@dataclass(frozen=True)
class Expectation:
    """The lip opening a sound lets one expect of this person: a ridge regression from windows of log-mel features.

    It is fitted to the tracked openings of the frames the avatar was trained on, knows nothing of the avatar, and so
    can judge any video of this person with any sound: the better the mouth moves with the sound, the better its
    opening agrees with the expectation. What the true video scores is the mark to reach.
    """

    mean: np.ndarray  # [D]
    scale: np.ndarray  # [D]
    weights: np.ndarray  # [D]
    level: float

    @classmethod
    def fit(cls, windows: np.ndarray, opening: np.ndarray) -> "Expectation":
        """From windows [F, 16, C] and openings [F] (NaN where no face was found).

        The strength of the penalty is the one that predicts the last fifth best from what is before it.
        """
        known = np.isfinite(opening)
        x, y = windows[known].reshape(known.sum(), -1).astype(np.float64), opening[known]
        cut = len(y) * 4 // 5
        scores = [_score(candidate, x[cut:], y[cut:]) for candidate in cls._of_strengths(x[:cut], y[:cut], _STRENGTHS)]
        return next(cls._of_strengths(x, y, _STRENGTHS[[int(np.argmax(scores))]]))

    @classmethod
    def _of_strengths(cls, x: np.ndarray, y: np.ndarray, strengths: np.ndarray) -> Iterator["Expectation"]:
        """Ridge regressions [D] of different strength, all from one decomposition of the smaller of the two systems:
        one unknown per feature, or one per frame."""
        mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
        z, target = (x - mean) / scale, y - y.mean()
        by_feature = len(z) > z.shape[1]
        values, vectors = np.linalg.eigh(z.T @ z if by_feature else z @ z.T)
        turned = vectors.T @ (z.T @ target if by_feature else target)
        for strength in strengths:
            solved = vectors @ (turned / (np.maximum(values, 0) + strength))
            yield cls(mean, scale, solved if by_feature else z.T @ solved, float(y.mean()))

    def of(self, windows: np.ndarray) -> np.ndarray:  # [F]
        return (windows.reshape(len(windows), -1) - self.mean) / self.scale @ self.weights + self.level


def _score(expectation: Expectation, x: np.ndarray, y: np.ndarray) -> float:
    found = correlation(expectation.of(x), y)
    return -1.0 if found is None else found


def silence_ratio(opening: np.ndarray, voiced: np.ndarray) -> tuple[float, float, int] | None:
    """How restless and how open a mouth is in silence, each over its value in speech; and how many silent frames count.

    From openings [N] and bool [N]. Restlessness is the mean change from one frame to the next. None with fewer than
    5 silent or voiced frames that follow one another, or a mouth that does not move in speech.
    """
    change = np.abs(np.diff(opening))
    silent = ~voiced[1:] & ~voiced[:-1] & np.isfinite(change)
    spoken = voiced[1:] & voiced[:-1] & np.isfinite(change)
    if silent.sum() < 5 or spoken.sum() < 5 or change[spoken].mean() < 1e-9:
        return None
    restless = change[silent].mean() / change[spoken].mean()
    return float(restless), float(opening[1:][silent].mean() / opening[1:][spoken].mean()), int(silent.sum())
