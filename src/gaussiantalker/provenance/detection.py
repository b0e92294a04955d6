"""Finding the mark of `watermark` in a film, cut, shrunk and encoded again as films are."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
from PIL import Image
from scipy.fft import irfft2, rfft2
from scipy.ndimage import uniform_filter
from scipy.stats import norm

from gaussiantalker.provenance.watermark import (
    CHIP,
    PAYLOAD_BITS,
    SIDE,
    SYMBOL_BITS,
    SYMBOLS,
    SYNC_SHARE,
    TOOL,
    sequences,
    smooth,
)

SAMPLES = 2  # of a chip
NEAR = 7  # pixels: a picture is compared with its surroundings, in units of how much it differs there
LEAST, MOST = 0.1, 3.0  # grey levels by which surroundings always differ; units beyond which nothing counts
SCALES = np.exp(np.arange(np.log(0.55), np.log(1.8), 0.008))  # of the picture, against what it was when it was marked
REFINEMENTS = 1 + 0.002 * np.arange(-3, 4)
CANDIDATES = 4  # scales that are looked at closely
LIKELY = 6  # shifts of each sequence that are tried with those of the others
CHANCE = 1e-6
"""Of a film that is wrongly called marked, by the union bound over all that is compared; and of wrong bits."""


@dataclass(frozen=True)
class Mark:
    """The likeliest mark of a film."""

    payload: int
    """The 40 bits of it."""
    score: float
    """How well it fits, in deviations of what chance would give."""
    scale: float
    """How large the picture is now, against what it was when it was marked."""
    doubt: float = 0.0
    """How likely other bits are, against these."""

    @property
    def needed(self) -> float:
        """The score that chance reaches with a probability of `CHANCE`."""
        return _threshold()

    @property
    def found(self) -> bool:
        """Whether the mark is there."""
        return self.score >= self.needed

    @property
    def sure(self) -> bool:
        """Whether every bit of it can be relied on, not only that it is there."""
        return self.found and self.doubt <= CHANCE


def detect(pictures: Iterable[np.ndarray]) -> Mark:
    """The likeliest mark in pictures uint8 [H, W, 3] of one film, whatever its size is now.

    Raises:
        ValueError: there are no pictures.
    """
    return Search(pictures).likeliest(_templates())


class Search:
    """What a film's pictures have in common, folded to tiles at whatever size it is asked for."""

    def __init__(self, pictures: Iterable[np.ndarray]):
        """Raises ValueError when there are no pictures uint8 [H, W, 3]."""
        total = sum(_residual(picture) for picture in pictures)
        if not isinstance(total, np.ndarray):
            raise ValueError("there are no pictures")
        self._total, self._kept = total, {}

    def likeliest(self, templates: np.ndarray) -> Mark:
        """The mark that fits best, by the conjugate spectra [6, 64, 33] of its sequences."""
        scales = np.outer(self._best(SCALES, templates), REFINEMENTS).ravel()
        scales = self._best(scales, templates)
        found = (_read(*each) for each in zip(self._matched(scales, templates), scales, strict=True))
        return max(found, key=lambda mark: mark.score)

    def _best(self, scales: np.ndarray, templates: np.ndarray) -> np.ndarray:
        """Those where the first sequence fits best."""
        return scales[self._matched(scales, templates[:1]).max((1, 2, 3)).argsort()[-CANDIDATES:]]

    def _matched(self, scales: np.ndarray, templates: np.ndarray) -> np.ndarray:
        """How well sequences fit at each scale and place [scales, sequences, 64, 64], in deviations."""
        spectra = np.stack([self._spectrum(scale) for scale in scales])
        return np.asarray(irfft2(spectra[:, None] * templates))

    def _spectrum(self, scale: float) -> np.ndarray:
        """Of the folded tile [64, 33], all waves of strength one: strong ones of the scene shall not drown the mark."""
        if scale not in self._kept:
            spectrum = np.asarray(rfft2(_folded(self._total, scale).astype(np.float32)))
            self._kept[scale] = spectrum / np.maximum(np.abs(spectrum), 1e-12)
        return self._kept[scale]


@cache
def _threshold() -> float:
    """All that is compared is normal where nothing is marked, so the union bound over it tells."""
    places = len(SCALES) * len(REFINEMENTS) * (SAMPLES * SIDE) ** 2
    return float(norm.isf(CHANCE / places / 2.0**PAYLOAD_BITS))


def _residual(picture: np.ndarray) -> np.ndarray:
    luma = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    detail = luma - uniform_filter(luma, NEAR)
    usual = np.sqrt(np.maximum(uniform_filter(detail**2, NEAR), 0)) + LEAST
    return np.clip(detail / usual, -MOST, MOST)


def _folded(residual: np.ndarray, scale: float) -> np.ndarray:
    """The tile [64, 64] that repeats in a residual which was resized by `scale` after it was marked."""
    size = [max(round(side / scale * SAMPLES / CHIP), 1) for side in residual.shape[::-1]]
    small = np.asarray(Image.fromarray(residual).resize(size, Image.Resampling.BILINEAR))
    period = SAMPLES * SIDE
    wide = np.zeros([-(-side // period) * period for side in small.shape])
    wide[: small.shape[0], : small.shape[1]] = small - small.mean()
    return wide.reshape(wide.shape[0] // period, period, -1, period).sum((0, 2))


@cache
def _templates() -> np.ndarray:
    return templates(sequences())


def templates(chips: np.ndarray) -> np.ndarray:
    """Conjugate spectra complex64 [N, 64, 33] of sequences [N, 32, 32].

    Scaled so that what comes of a spectrum with waves of strength one has a mean of zero and a deviation of one.
    """
    tiles = np.stack([smooth(each, SAMPLES) for each in chips]).astype(np.float32)
    spectra = np.asarray(rfft2(tiles)).conj()
    spectra[..., 0, 0] = 0
    return spectra / np.asarray(irfft2(spectra)).std((-2, -1), keepdims=True)


def _read(surfaces: np.ndarray, scale: float) -> Mark:
    """The mark that surfaces [6, 64, 64] of one scale show."""
    row, column = np.unravel_index(surfaces[0].argmax(), surfaces[0].shape)
    sync = SYNC_SHARE * surfaces[0, row, column]
    shifts = np.roll(surfaces[1:], (-row, -column), (1, 2))[:, ::SAMPLES, ::SAMPLES].reshape(SYMBOLS, -1)
    numbers = _agreeing(shifts)
    fits = shifts[np.arange(SYMBOLS), numbers].sum(axis=1)
    best = fits.argmax()
    total, others = sync + fits[best], (numbers != numbers[best]).any(axis=1)
    # Of a mark so strong, what a fit is worse by is worth so many nats (white noise, all payloads alike).
    strength = total / (SYNC_SHARE**2 + SYMBOLS)
    doubt = np.exp(strength * (fits[others] - fits[best])).sum()
    payload = reduce(lambda bits, number: bits << SYMBOL_BITS | int(number), numbers[best, :-1], 0)
    return Mark(payload, float(total / np.hypot(SYNC_SHARE, SYMBOLS**0.5)), float(scale), float(doubt))


def _agreeing(shifts: np.ndarray) -> np.ndarray:
    """The likeliest fives of numbers [N, 5] that come to `TOOL`, by how well each fits [5, 1024]: of all but one
    sequence the likeliest, of that one the number that follows."""
    likely = shifts.argsort(axis=1)[:, -LIKELY:]
    fives = []
    for told in range(SYMBOLS):
        others = np.delete(np.arange(SYMBOLS), told)
        four = np.stack(np.meshgrid(*likely[others], indexing="ij"), -1).reshape(-1, SYMBOLS - 1)
        fives.append(np.insert(four, told, np.bitwise_xor.reduce(four, axis=1) ^ TOOL, axis=1))
    return np.concatenate(fives)
