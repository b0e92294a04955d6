"""Chance that is the same whenever it is asked: every draw belongs to a seed and a place in the training."""

from functools import lru_cache

import numpy as np
import torch

from gaussiantalker.errors import GaussianTalkerError

_LARGEST_SEED = 2**32 - 1
NETWORK, LISTENING = 2, 3  # places beside those of the two stages, 0 and 1


def checked_seed(seed: int) -> int:
    """The seed. Raises GaussianTalkerError when it is not a whole number from 0 on that all generators take."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= _LARGEST_SEED:
        raise GaussianTalkerError(f"{seed} cannot be a seed: give a whole number from 0 to {_LARGEST_SEED}.")
    return int(seed)


def seed_torch(*place: int) -> None:
    """Has torch draw what belongs to this place: numbers from 0 on, the first of them the training's seed."""
    torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0]))


@lru_cache(maxsize=2)
def shuffled(count: int, *place: int) -> np.ndarray:
    """The numbers below `count` in the order that belongs to this place."""
    return np.random.default_rng(place).permutation(count)
