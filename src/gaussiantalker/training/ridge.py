"""Kernel ridge regression whose penalties are chosen on frames that a regression did not know."""

from typing import NamedTuple

import numpy as np

_STRENGTHS = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0])  # of the penalty, against the mean square input
_FOLDS = 6  # contiguous: neighbouring frames know each other


class Ridge:
    """Ridge regressions through the origin, of all strengths from one decomposition.

    From the products of inputs [N, N] and targets [N, C].
    """

    def __init__(self, kernel: np.ndarray, targets: np.ndarray):
        values, self._vectors = np.linalg.eigh(kernel)
        self._values, self._turned = np.maximum(values, 0)[:, None], self._vectors.T @ targets

    def dual(self, strengths: np.ndarray | float) -> np.ndarray:
        """Weights of the N inputs [N, C], every target with its own strength [C] or all with one."""
        return self._vectors @ (self._turned / (self._values + strengths))


class _Fold(NamedTuple):
    """Some of the inputs, and what is learnt from the others."""

    hidden: np.ndarray
    shown: np.ndarray
    ridge: Ridge


def folds(kernel: np.ndarray, targets: np.ndarray) -> list[_Fold]:
    """The inputs in contiguous parts, each hidden once."""
    everything, made = np.arange(len(targets)), []
    for hidden in np.array_split(everything, _FOLDS):
        shown = np.setdiff1d(everything, hidden, assume_unique=True)
        made.append(_Fold(hidden, shown, Ridge(kernel[np.ix_(shown, shown)], targets[shown])))
    return made


def best_strengths(parts: list[_Fold], kernel: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """[C] the penalty with which each target is predicted best where it was hidden."""
    errors = np.zeros((len(_STRENGTHS), targets.shape[1]))
    for part in parts:
        seen = kernel[np.ix_(part.hidden, part.shown)]
        for error, strength in zip(errors, _STRENGTHS, strict=True):
            error += np.square(seen @ part.ridge.dual(strength) - targets[part.hidden]).sum(axis=0)
    return _STRENGTHS[errors.argmin(axis=0)]


def blind(parts: list[_Fold], kernel: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Every target [N, C] as predicted where it was hidden."""
    guess = np.zeros((len(kernel), len(strengths)))
    for part in parts:
        guess[part.hidden] = kernel[np.ix_(part.hidden, part.shown)] @ part.ridge.dual(strengths)
    return guess
