"""The log-mel spectrogram of Whisper (Radford et al. 2022, section 2.2): 80 bands, 25 ms windows every 10 ms."""

from functools import cache

import numpy as np

from gaussiantalker.timing import SAMPLE_RATE

WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
BANDS = 80
FLOOR = -10.0  # log10 of the smallest power told apart from none
_CHUNK = 4096  # spectra computed at a time, so that an hour of sound needs no hour of memory


def _mel_from_hertz(hertz: np.ndarray) -> np.ndarray:
    """Slaney's Auditory Toolbox scale: 15 mel per kHz up to 1 kHz, then 27 mel per factor of 6.4."""
    hertz = np.asarray(hertz, dtype=float)
    return np.where(hertz < 1000, hertz * 0.015, 15 + 27 * np.log(np.maximum(hertz, 1) / 1000) / np.log(6.4))


def _hertz_from_mel(mel: np.ndarray) -> np.ndarray:
    mel = np.asarray(mel, dtype=float)
    return np.where(mel < 15, mel / 0.015, 1000 * 6.4 ** ((mel - 15) / 27))


@cache
def filterbank() -> np.ndarray:
    """Triangles of equal area, float32 [80, 201], over the bins of a 400-sample transform."""
    bins = np.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1)
    edges = _hertz_from_mel(np.linspace(0, _mel_from_hertz(np.array(SAMPLE_RATE / 2)), BANDS + 2))[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)


@cache
def _hann() -> np.ndarray:
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """log10 of the mel power, float32 [T, 80], of every whole window in `samples` [S]: T = (S - 400) // 160 + 1."""
    if len(samples) < WINDOW:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    out = np.empty((len(frames), BANDS), np.float32)
    for start in range(0, len(frames), _CHUNK):
        spectrum = np.fft.rfft(frames[start : start + _CHUNK] * _hann())
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        out[start : start + _CHUNK] = np.log10(np.maximum(power @ filterbank().T, 10.0**FLOOR))
    return out


class MelStream:
    """Log-mel frames of sound that arrives in pieces: frame j is centred on sample 160 j, silence comes first."""

    def __init__(self) -> None:
        self._pending = np.zeros(WINDOW // 2, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The frames [k, 80] that these samples complete; a frame needs the 200 samples after its centre."""
        self._pending = np.concatenate([self._pending, samples])
        frames = log_mel(self._pending)
        self._pending = self._pending[len(frames) * HOP :]
        return frames


@cache
def band_weights(low: float, high: float) -> np.ndarray:
    """[80] what the bands' powers count in the mean square of the sound between two frequencies in hertz."""
    edges = _hertz_from_mel(np.linspace(0, _mel_from_hertz(np.array(SAMPLE_RATE / 2)), BANDS + 2))
    inside = (edges[1:-1] >= low) & (edges[1:-1] < high)
    width = (edges[2:] - edges[:-2]) / 2  # undoes the equal areas
    scale = WINDOW / 2 * np.square(_hann()).sum()  # Parseval, for the half of the spectrum that is kept
    return inside * width / scale


def band_power(spectra: np.ndarray, low: float, high: float) -> np.ndarray:
    """Mean square [T] of the sound between two frequencies in hertz, from log-mel frames [T, 80]."""
    return (np.power(10.0, spectra) - 10.0**FLOOR).clip(0) @ band_weights(low, high)
