"""Finding the mark of `watermark` in a film, cut, shrunk and encoded again as films are."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from PIL import Image
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
    TOOL_BITS,
    sequences,
    smooth,
)

SAMPLES = 2  # of a chip
NEAR = 9  # pixels: a picture is compared with its surroundings, in units of how much it differs there
LEAST, MOST = 0.1, 3.0  # grey levels by which surroundings always differ; units beyond which nothing counts
SCALES = np.exp(np.arange(np.log(0.55), np.log(1.8), 0.008))  # of the picture, against what it was when it was marked
REFINEMENTS = 1 + 0.002 * np.arange(-3, 4)
CANDIDATES = 4  # scales that are looked at closely
SURE = 5.0  # deviations: one of a thousand wrong shifts is better with a probability of 3 in 10,000
FALSE_ALARM = 1e-6  # bound for one film, by the union bound over all that is compared


@dataclass(frozen=True)
class Mark:
    """The likeliest mark of a film."""

    payload: int
    """The 40 bits beside the tool's own."""
    score: float
    """How well it fits, in deviations of what chance would give."""
    scale: float
    """How large the picture is now, against what it was when it was marked."""
    ours: bool
    """Whether the first bits are this tool's."""
    weakest: float = 0.0
    """How well the sequence fits that fits worst of those that carry bits, in the same deviations."""

    @property
    def needed(self) -> float:
        """The score that chance reaches with a probability of `FALSE_ALARM`."""
        return _threshold()

    @property
    def found(self) -> bool:
        """Whether the mark is there."""
        return self.ours and self.score >= self.needed

    @property
    def sure(self) -> bool:
        """Whether every bit of it can be relied on, not only that it is there."""
        return self.found and self.weakest >= SURE


def detect(pictures: Iterable[np.ndarray]) -> Mark:
    """The likeliest mark in pictures uint8 [H, W, 3] of one film, whatever its size is now.

    Raises:
        ValueError: there are no pictures.
    """
    total = sum(_residual(picture) for picture in pictures)
    if not isinstance(total, np.ndarray):
        raise ValueError("there are no pictures")
    found = [(_matched(total, scale)[0].max(), scale) for scale in SCALES]
    best = sorted(found, reverse=True)[:CANDIDATES]
    return max((_read(total, scale * fine) for (_, scale), fine in product(best, REFINEMENTS)), key=lambda m: m.score)


@cache
def _threshold() -> float:
    """All that is compared is normal where nothing is marked, so the union bound over it tells."""
    places = len(SCALES) * len(REFINEMENTS) * (SAMPLES * SIDE) ** 2
    payloads = 2.0 ** (PAYLOAD_BITS - TOOL_BITS)
    return float(norm.isf(FALSE_ALARM / places / payloads))


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
    """Conjugate spectra of the sequences [6, 64, 33]."""
    return np.stack([np.fft.rfft2(smooth(chips, SAMPLES)).conj() for chips in sequences()])


def _matched(residual: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """How well the first sequence fits at each place [64, 64], in deviations; and the folded tile's spectrum."""
    spectrum = np.fft.rfft2(_folded(residual, scale))
    return _standard(np.fft.irfft2(spectrum * _templates()[0])), spectrum


def _standard(surface: np.ndarray) -> np.ndarray:
    return (surface - surface.mean()) / max(surface.std(), 1e-12)


def _read(residual: np.ndarray, scale: float) -> Mark:
    sync, spectrum = _matched(residual, scale)
    row, column = np.unravel_index(sync.argmax(), sync.shape)
    score, weakest, bits = SYNC_SHARE * sync[row, column], np.inf, 0
    for number in range(SYMBOLS):
        surface = np.roll(_standard(np.fft.irfft2(spectrum * _templates()[1 + number])), (-row, -column), (0, 1))
        shifts = surface[::SAMPLES, ::SAMPLES]
        symbol = int(shifts.argmax())
        score, weakest = score + shifts.flat[symbol], min(weakest, shifts.flat[symbol])
        bits = bits << SYMBOL_BITS | symbol
    bits >>= SYMBOLS * SYMBOL_BITS - PAYLOAD_BITS
    tool, payload = divmod(bits, 1 << PAYLOAD_BITS - TOOL_BITS)
    return Mark(payload, float(score / np.hypot(SYNC_SHARE, SYMBOLS**0.5)), float(scale), tool == TOOL, float(weakest))
