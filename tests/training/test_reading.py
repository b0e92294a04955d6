"""A person's mouth reader: found where it is known, honest about frames it did not know, and in step."""

import numpy as np
import pytest

from gaussiantalker.talker.mouth_reader import padded, read_windows
from gaussiantalker.training.lip_lag import LEAD, frames_late
from gaussiantalker.training.reading import fit_reader
from gaussiantalker.training.ridge import Ridge

FRAMES, CHANNELS, FUTURE = 600, 12, 6


def sound(seed: int = 0, frames: int = FRAMES) -> np.ndarray:
    """Rows [2F, CHANNELS] that change as slowly as speech does, with a silence."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(2 * frames + 6, CHANNELS))
    rows = sum(rows[k : k + 2 * frames] for k in range(6)) / np.sqrt(6)
    rows[200:260] = 0
    return rows.astype(np.float32)


def codes_of(rows: np.ndarray) -> np.ndarray:
    """Two scores that the rows determine, the second squashed as a mouth's are; and one that is chance."""
    windows = read_windows(padded(rows, FUTURE), FUTURE)
    first, second = windows[:, 6, 0] + windows[:, 7, 1], np.tanh(2 * windows[:, 4, 2])
    return np.column_stack([first, second, np.random.default_rng(9).normal(size=len(windows))]).astype(np.float32)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_it_reads_sound_it_never_heard_with_the_right_range() -> None:
    rows, other = sound(), sound(1)
    reader, _ = fit_reader(rows, codes_of(rows), np.arange(FRAMES), FUTURE)
    read, true = reader(read_windows(padded(other, FUTURE), FUTURE)), codes_of(other)
    assert correlation(read[:, 0], true[:, 0]) > 0.97 and correlation(read[:, 1], true[:, 1]) > 0.85
    np.testing.assert_allclose(read.std(axis=0), true.std(axis=0), rtol=0.15)
    silent = np.abs(read[107:127])
    assert not silent.any(), "a window without speech is the mouth at rest"


def test_its_range_is_measured_where_it_knew_nothing() -> None:
    """The third score is chance. Matched on frames it had learnt by heart it would read much less of it elsewhere."""
    rows = sound()
    codes = codes_of(rows)
    reader, blind = fit_reader(rows, codes, np.arange(FRAMES), FUTURE)
    assert abs(correlation(blind[:, 2], codes[:, 2])) < 0.3, "what is read blind does not know the frame"
    elsewhere = reader(read_windows(padded(sound(1), FUTURE), FUTURE))
    assert 0.6 < elsewhere[:, 2].std() / codes[:, 2].std() < 1.4


def test_frames_without_a_face() -> None:
    rows, other = sound(), sound(1)
    frames = np.delete(np.arange(FRAMES), np.arange(40, 55))
    reader, _ = fit_reader(rows, codes_of(rows)[frames], frames, FUTURE)
    read = reader(read_windows(padded(other, FUTURE), FUTURE))
    assert correlation(read[:, 0], codes_of(other)[:, 0]) > 0.9


def test_ridge_solves_its_normal_equations() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 8)), rng.normal(size=(30, 2))
    direct = np.linalg.solve(x.T @ x + 0.3 * np.eye(8), x.T @ y)
    np.testing.assert_allclose(x.T @ Ridge(x @ x.T, y).dual(0.3), direct, atol=1e-10)


@pytest.mark.parametrize("late", [-3, -1, 0, 2, 3])
def test_lips_that_are_late_or_early_are_found_out(late: int) -> None:
    rows = sound()
    opening = np.roll(rows[::2, 0] + rows[1::2, 1], late)
    opening = opening + np.random.default_rng(0).normal(scale=0.3, size=FRAMES)
    assert abs(frames_late(rows, opening, np.ones(FRAMES, bool)) - late - LEAD) < 0.25


def test_a_lag_that_cannot_be_told_is_none() -> None:
    rows, chance = sound(), np.random.default_rng(5).normal(size=FRAMES)
    assert frames_late(rows, chance, np.ones(FRAMES, bool)) == 0
    few = np.arange(FRAMES) < 150
    assert frames_late(rows, rows[::2, 0], few) == 0
