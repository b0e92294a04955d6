"""Sound as float32 mono in [-1, 1], at 16 kHz unless said otherwise."""

import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import soxr

from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.recording import Piece, pieces
from gaussiantalker.media.tracks import chosen, opened, tell
from gaussiantalker.timing import SAMPLE_RATE

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


def read_audio(
    path: str | Path, sample_rate: int = SAMPLE_RATE, *, whole: bool = False, told: list[str] | None = None
) -> np.ndarray:  # [S]
    """The sound of any audio or video file, mixed to mono: of its default track, or of the first.

    In a video, sample 0 is the instant of the first picture: sound before it is cut, and silence fills a late start,
    so that sample and frame numbers belong together. `whole` cuts nothing: sample 0 is where sound or picture begins.
    Time stamps decide throughout: what is missing or damaged in between is silence. What was bridged or converted is
    put into `told`, a sentence each. Raises GaussianTalkerError when there is no sound, or more than a tenth of it
    cannot be decoded.
    """
    told = [] if told is None else told
    return np.concatenate([*heard(pieces(path, whole, told), sample_rate, told)])


def heard(sound: Iterable[Piece], sample_rate: int, told: list[str]) -> Iterator[np.ndarray]:
    """Mono at one rate, some at a time, through a streaming resampler: an hour never lies in memory at its own rate."""
    stretch, mix, rate = None, _Mix(told), 0
    for piece in sound:
        if stretch is None or piece.rate != rate:
            if stretch is not None:
                yield stretch.resample_chunk(np.zeros(0, np.float32), last=True)
            rate = piece.rate
            stretch = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32")
        yield stretch.resample_chunk(mix(piece.samples, piece.layout))
    if stretch is not None:
        yield stretch.resample_chunk(np.zeros(0, np.float32), last=True)


def language(path: str | Path) -> str | None:
    """The language that a file says its sound is in, mostly as three letters (ISO 639-2); None where it says nothing.

    Raises GaussianTalkerError when the file cannot be opened.
    """
    with opened(path, "audio") as container:
        track = chosen(container, "audio")
        said = track and track.metadata.get("language")
    return said if said not in ("", "und", "mis", "zxx") else None


def write_wav(path: str | Path, samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """16-bit WAV of float32 [S]; what lies beyond [-1, 1] is clipped."""
    _write_pieces(path, [samples], sample_rate)


def copy_wav(source: str | Path, path: str | Path, length: int, told: list[str] | None = None) -> int:
    """The sound of any file as 16-bit WAV at 16 kHz with `length` samples, cut off or continued in silence.

    An hour of it is never in memory. Returns how many samples the source has. Raises GaussianTalkerError and tells as
    `read_audio`.
    """
    told, count = [] if told is None else told, 0

    def fitted() -> Iterator[np.ndarray]:
        nonlocal count
        for piece in heard(pieces(source, False, told), SAMPLE_RATE, told):
            yield piece[: max(length - count, 0)]
            count += len(piece)
        yield np.zeros(max(length - count, 0), np.float32)

    _write_pieces(path, fitted(), SAMPLE_RATE)
    return count


def _write_pieces(path: str | Path, pieces: Iterable[np.ndarray], sample_rate: int) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as raw, wave.open(raw) as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        for samples in pieces:
            file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def delayed(sound: np.ndarray, samples: int) -> np.ndarray:
    """Sound [S] that many samples later, or earlier where they are negative; silence fills it up."""
    padded = np.pad(sound, abs(samples))
    return padded[abs(samples) - samples :][: len(sound)]


class _Mix:
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
