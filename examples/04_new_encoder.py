"""A new speech encoder: how loud four bands of the sound are, 50 times a second, without any look-ahead.

python examples/04_new_encoder.py CAPTURE AVATAR
"""

import sys

import numpy as np

import gaussiantalker as gt
from gaussiantalker.speech import ENCODERS, SAMPLES_PER_ROW, Encoder


class Bands(Encoder):
    """Logarithms of the energy in octaves from 250 Hz to 4 kHz."""

    name, channels = "bands", 4

    def stage(self):
        return Octaves()


class Octaves:
    """One run of sound: pieces of any length in, the rows that they complete out."""

    lookahead = SAMPLES_PER_ROW  # samples after which a row comes out at the latest: a row's own

    def __init__(self):
        self.rest = np.zeros(0, np.float32)

    def push(self, samples):
        samples = np.concatenate([self.rest, samples])
        whole = len(samples) // SAMPLES_PER_ROW * SAMPLES_PER_ROW
        self.rest = samples[whole:]
        power = np.abs(np.fft.rfft(samples[:whole].reshape(-1, SAMPLES_PER_ROW))) ** 2  # 50 Hz apart
        bands = [power[:, low : 2 * low].mean(axis=1) for low in (5, 10, 20, 40)]
        return np.log10(np.stack(bands, axis=1) + 1e-3).astype(np.float32)


ENCODERS["bands"] = lambda progress: Bands()

if __name__ == "__main__":
    gt.train(*sys.argv[1:3], schedule="fast", method="gaussiantalker-star", encoder="bands")
