"""The encoder without weights: the log-mel spectrogram itself, two 10 ms frames averaged into a row."""

import numpy as np

from gaussiantalker.speech.encoder import SAMPLES_PER_ROW, Encoder
from gaussiantalker.speech.mel import BANDS, HOP, WINDOW, MelStream

_QUIET = -7.0  # below this lies only the noise of quantisation


class _LogMelStage:
    lookahead = HOP + WINDOW // 2  # of the second frame's window

    def __init__(self) -> None:
        self._mel = MelStream()
        self._odd = np.zeros((0, BANDS), np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        frames = np.concatenate([self._odd, self._mel.push(samples)])
        whole = len(frames) // 2 * 2
        self._odd = frames[whole:]
        pairs = np.maximum(frames[:whole], _QUIET).reshape(-1, SAMPLES_PER_ROW // HOP, BANDS)
        return (pairs.mean(axis=1) + 4) / 4


class LogMel(Encoder):
    """80 bands; the fallback where no pretrained model can be had, and the baseline of the probe's table."""

    name = "logmel"
    channels = BANDS

    def stage(self) -> _LogMelStage:
        return _LogMelStage()
