"""Whether a film's lips are late or early against its sound, so that the avatar's need not be."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gaussiantalker.speech.encoder import ROWS_PER_FRAME
from gaussiantalker.training.ridge import best_strengths, blind, folds

_MOST = 6  # frames to either side that are tried
LEAD = 0.5  # frames by which lips come before their sound: 0.1 in generated films, 0.3 to 1.1 in three real ones
_FEWEST = 200  # frames: in less speech the place is chance
SURE = 0.5  # correlation from which on sound is believed to tell of the lips
_FRAMES = 2_000  # that are looked at: they tell it to a tenth of a frame
_AROUND = 1  # rows before a frame's two, and after them


def frames_late(rows: np.ndarray, opening: np.ndarray, found: np.ndarray) -> float:
    """Frames by which lips [F] follow speech rows [2F, channels]; negative where they come too early, 0 where it cannot
    be told. Frames that are not `found`, bool [F], do not count.

    The lips of shifted frames are predicted from a frame's own rows, blindly; the shift that is predicted best is the
    lag, but for the lead that lips have by nature.
    """
    shifts = np.arange(-_MOST, _MOST + 1)
    stop = min(len(opening), _FRAMES + 2 * _MOST)
    frames = np.array([k for k in range(_MOST, stop - _MOST) if found[k - _MOST : k + _MOST + 1].all()], dtype=int)
    if len(frames) < _FEWEST:
        return 0.0
    padded = np.pad(rows, ((_AROUND, _AROUND), (0, 0)))
    windows = sliding_window_view(padded, ROWS_PER_FRAME + 2 * _AROUND, axis=0)[::ROWS_PER_FRAME][frames]
    inputs = windows.reshape(len(frames), -1)
    inputs = inputs - inputs.mean(axis=0)
    inputs /= np.maximum(inputs.std(axis=0), 1e-6) * np.sqrt(inputs.shape[1])
    targets = opening[frames[:, None] + shifts]
    targets = targets - targets.mean(axis=0)
    kernel = (inputs @ inputs.T).astype(float)
    parts = folds(kernel, targets)
    guess = blind(parts, kernel, best_strengths(parts, kernel, targets))
    agreement = (guess * targets).mean(axis=0) / np.maximum(guess.std(axis=0) * targets.std(axis=0), 1e-12)
    best = int(agreement.argmax())
    if agreement[best] < SURE or best in (0, len(shifts) - 1):
        return 0.0
    before, peak, after = agreement[best - 1 : best + 2]
    return float(shifts[best] + 0.5 * (before - after) / (before - 2 * peak + after) + LEAD)
