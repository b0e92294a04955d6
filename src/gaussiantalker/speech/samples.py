"""Sound as it arrives, of any rate and type, turned into 16 kHz float32."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import soxr

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.recording import LOUDEST
from gaussiantalker.timing import SAMPLE_RATE

_PIECE = 20 * SAMPLE_RATE


class Resampler:
    """Mono pieces of one rate in, 16 kHz float32 pieces out; n seconds in give n seconds out, rounded to a sample."""

    def __init__(self) -> None:
        self._rate: int | None = None
        self._soxr: soxr.ResampleStream | None = None

    def push(self, pcm: np.ndarray, sample_rate: int) -> np.ndarray:
        samples = checked(pcm)
        if self._rate is None:
            self._start(sample_rate)
        if sample_rate != self._rate:
            raise GaussianTalkerError(f"The sound changed from {self._rate} to {sample_rate} Hz; start another stream.")
        return samples if self._soxr is None else self._soxr.resample_chunk(samples)

    def finish(self) -> np.ndarray:
        nothing = np.zeros(0, np.float32)
        return nothing if self._soxr is None else self._soxr.resample_chunk(nothing, last=True)

    def _start(self, sample_rate: int) -> None:
        if not 4_000 <= sample_rate <= 384_000:
            raise GaussianTalkerError(f"{sample_rate} Hz is not a rate for speech; give sound at 8,000 to 48,000 Hz.")
        self._rate = sample_rate
        if sample_rate != SAMPLE_RATE:
            self._soxr = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")


def in_pieces(stream: Any, audio: np.ndarray) -> Iterator[Any]:
    """What a fresh stream makes of whole sound [S]: pushed in pieces of 20 s, so that hours of it fill no memory."""
    for start in range(0, len(audio), _PIECE):
        yield stream.push(audio[start : start + _PIECE])
    yield stream.finish()


def checked(pcm: np.ndarray) -> np.ndarray:
    """Mono samples [S], [1, S] or [S, 1] as float32 [S] in [-1, 1]; 16-bit integers are scaled.

    Raises GaussianTalkerError for another shape, type or range, and for values that are not numbers.
    """
    pcm = np.asarray(pcm)
    if pcm.ndim == 2 and 1 in pcm.shape:
        pcm = pcm.reshape(-1)
    if pcm.ndim != 1:
        raise GaussianTalkerError(f"Sound must be mono [samples], not an array of shape {pcm.shape}: mix its channels.")
    if pcm.dtype == np.int16:
        return pcm.astype(np.float32) / 32768
    if pcm.dtype.kind != "f":
        raise GaussianTalkerError(f"Samples must be floats in [-1, 1] or 16-bit integers, not {pcm.dtype}.")
    if not np.isfinite(pcm).all():
        raise GaussianTalkerError("The sound holds samples that are not numbers (NaN or infinite); repair the file.")
    if np.abs(pcm).max(initial=0) > LOUDEST:
        raise GaussianTalkerError(
            f"The samples are floats as large as {np.abs(pcm).max():,.0f}: divide them, so that they lie in [-1, 1]."
        )
    return pcm.astype(np.float32, copy=False)
