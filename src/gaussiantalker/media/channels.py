"""Many channels heard as one."""

import av
import numpy as np

from gaussiantalker.media.tracks import tell

# Loudness of each channel in mono, as broadcasters mix 5.1 and 7.1 down (ITU-R BS.775): sides and surrounds 3 dB below
# the front, left and right together. The centre, which carries the voice, is as loud in mono as it was.
_SIDE, _SURROUND = 0.5**0.5, 0.5
_SHARES = {
    **dict.fromkeys(("FL", "FR", "FLC", "FRC", "DL", "DR"), _SIDE),
    **dict.fromkeys(("BL", "BR", "SL", "SR", "BC", "WL", "WR"), _SURROUND),
    "FC": 1.0,
    "LFE": 0.0,
    "LFE2": 0.0,
}
_OPPOSITE = -0.9  # correlation below which two channels are taken for one and its negative


class Mix:
    """Mixes pieces of planar sound [C, S] to mono [S], and notices two channels that would cancel each other."""

    def __init__(self, told: list[str]) -> None:
        self._told, self._turned = told, False
        self._moments = np.zeros((2, 2))  # of two channels so far

    def __call__(self, samples: np.ndarray, layout: str) -> np.ndarray:
        if len(samples) == 1:
            return samples[0]
        if len(samples) == 2:
            return np.array(self._signs(samples), np.float32) / 2 @ samples
        names = [channel.name for channel in av.AudioLayout(layout).channels]
        shares = np.array([_SHARES.get(name, 0.0) for name in names], np.float32)
        return (shares if shares.any() else np.full(len(samples), 1 / len(samples), np.float32)) @ samples

    def _signs(self, samples: np.ndarray) -> tuple[int, int]:
        wide = samples.astype(float)
        self._moments += wide @ wide.T
        (left, both), (_, right) = self._moments
        if not both < _OPPOSITE * (left * right) ** 0.5:
            return 1, 1
        if not self._turned:
            self._turned = True
            tell(self._told, "its two channels are opposite and would cancel; one was turned round")
        return 1, -1
