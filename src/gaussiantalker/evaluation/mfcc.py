"""Mel-frequency cepstra with the settings that SyncNet was trained with: 25 ms windows every 10 ms, 13 of 26 bands.

Davis and Mermelstein 1980, on the HTK mel scale, without a window function; the first number is the log energy.
"""

import numpy as np
from scipy.fft import dct

from gaussiantalker.timing import SAMPLE_RATE

_WINDOW, _HOP, _TRANSFORM = 400, 160, 512  # samples
_BANDS, _CEPSTRA, _LIFTER, _EMPHASIS = 26, 13, 22, 0.97
_SMALLEST = np.finfo(float).eps


def mfcc(samples: np.ndarray) -> np.ndarray:  # [T, 13], 100 rows a second
    """Of mono sound [S] at 16 kHz. The scale matters: SyncNet wants 16-bit values, from -32768 to 32767."""
    emphasised = np.append(samples[:1], samples[1:] - _EMPHASIS * samples[:-1]).astype(float)
    count = 1 + max(0, -(-(len(emphasised) - _WINDOW) // _HOP))
    padded = np.pad(emphasised, (0, max(0, (count - 1) * _HOP + _WINDOW - len(emphasised))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:count]
    power = np.square(np.abs(np.fft.rfft(windows, _TRANSFORM))) / _TRANSFORM
    energy = np.maximum(power.sum(axis=1), _SMALLEST)
    cepstra = dct(np.log(np.maximum(power @ _triangles().T, _SMALLEST)), type=2, norm="ortho")[:, :_CEPSTRA]
    cepstra *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(_CEPSTRA) / _LIFTER)
    cepstra[:, 0] = np.log(energy)
    return cepstra


def _triangles() -> np.ndarray:  # [26, 257]
    """Triangular filters whose corners lie on whole bins of the transform."""
    mel = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), _BANDS + 2)
    corners = np.floor((_TRANSFORM + 1) * 700 * (10 ** (mel / 2595) - 1) / SAMPLE_RATE)
    bins = np.arange(_TRANSFORM // 2 + 1)
    low, centre, high = (corners[i : i + _BANDS, None] for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = np.where((bins >= low) & (bins < centre), (bins - low) / (centre - low), 0)
        falling = np.where((bins >= centre) & (bins < high), (high - bins) / (high - centre), 0)
    return rising + falling
