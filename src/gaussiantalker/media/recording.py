"""The sound of a file as it was recorded, placed by its time stamps."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.tracks import chosen, first_picture, frames, opened, tell

_LOOSE = 0.05  # seconds by which time stamps may be off before sound is moved
_TOLD = 0.1  # seconds from which what was bridged is told
_TIGHT = 0.002  # and at the beginning, or just after something was lost
_SILENCE = 1 << 16  # samples of silence at a time
LOUDEST = 10.0
"""Of samples that are meant to lie in [-1, 1]: what is larger has another scale."""

_WIDTHS = (16, 24, 32)  # bits of integers that floats may have been


class Piece(NamedTuple):
    """Some sound: what follows begins where it ends."""

    samples: np.ndarray  # float32 [C, S]
    rate: int
    layout: str  # of the channels, by ffmpeg's names: mono, stereo, 5.1, ...


def pieces(path: str | Path, whole: bool, told: list[str]) -> Iterator[Piece]:
    """The sound from the first picture on, or, `whole`, from where sound or picture begins. See `audio.read_audio`."""
    path, anything = Path(path), False
    with opened(path, "audio") as container:
        track = chosen(container, "audio")
        if track is None:
            raise GaussianTalkerError(f"{path} has no sound; give a file with an audio track.")
        scale = _scale(path, track.codec_context.name, told)
        placed = _Placed(first_picture(path), whole)
        for piece in placed.pieces(frames(container, track, told, "packets of the sound")):
            anything = anything or bool(piece.samples.size)
            samples = np.nan_to_num(piece.samples, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
            yield piece._replace(samples=samples if scale == 1 else samples / scale)
        for sentence in placed.told():
            tell(told, sentence)
    if not anything:
        raise GaussianTalkerError(f"The sound track of {path} is empty; give a file with sound in it.")


class _Placed:
    """Puts sound where its time stamps say: silence for what is missing, nothing twice."""

    def __init__(self, picture: float | None, whole: bool) -> None:
        self._picture, self._whole = picture, whole
        self._due: float | None = None  # when the next sample follows
        self._begin, self._first_gap = 0.0, 0.0
        self._silent = self._cut = self._twice = 0.0  # seconds
        self._exactly = True  # whether the next frame is put where it says to the sample
        self._forms: dict[tuple[int, str], None] = {}

    def pieces(self, decoded: Iterator[av.AudioFrame | None]) -> Iterator[Piece]:
        converter, form = None, None
        for frame in decoded:
            if frame is None:
                self._exactly = True
                continue
            if converter is None or form != (frame.format.name, frame.layout.name, frame.sample_rate):
                form = (frame.format.name, frame.layout.name, frame.sample_rate)
                converter = av.AudioResampler(format="flt")
                self._forms[frame.sample_rate, frame.layout.name] = None
            for packed in converter.resample(frame):
                yield from self._place(planes(packed), frame.time, frame.sample_rate, frame.layout.name)

    def _place(self, samples: np.ndarray, time: float | None, rate: int, layout: str) -> Iterator[Piece]:
        due = self._start(time or 0.0) if self._due is None else self._due
        ahead, loose = (0.0 if time is None else time - due), (_TIGHT if self._exactly else _LOOSE)
        if ahead > loose:
            if not self._silent:
                self._first_gap = due - self._begin
            self._silent, due = self._silent + ahead, due + ahead
            missing = round(ahead * rate)
            for start in range(0, missing, _SILENCE):
                yield Piece(np.zeros((len(samples), min(_SILENCE, missing - start)), np.float32), rate, layout)
        elif ahead < -loose:
            dropped = min(round(-ahead * rate), samples.shape[1])
            if due == self._begin:
                self._cut += dropped / rate
            else:
                self._twice += dropped / rate
            samples = samples[:, dropped:]
            if not samples.size:
                return
        self._exactly = False
        self._due = due + samples.shape[1] / rate
        yield Piece(samples, rate, layout)

    def _start(self, time: float) -> float:
        """Where sample 0 is: at the first picture, or, where all of the sound is wanted, no later than the sound."""
        origin = time if self._picture is None else self._picture
        self._due = self._begin = min(origin, time) if self._whole else origin
        return self._begin

    def told(self) -> Iterator[str]:
        """What was bridged, of what people would hear or see."""
        if self._cut > _TOLD:
            yield f"{self._cut:.1f} s of sound before the first picture were left out"
        if self._silent > _TOLD:
            yield f"the sound is missing for {self._silent:.1f} s, first at {self._first_gap:.1f} s: silence there"
        if self._twice > _TOLD:
            yield f"{self._twice:.1f} s of sound came twice for one time; the first counts"
        if len(self._forms) > 1:
            rates = " and ".join(f"{rate:,} Hz {layout}" for rate, layout in self._forms)
            yield f"the sound changes between {rates}; all is brought to one"


def planes(packed: av.AudioFrame) -> np.ndarray:  # float32 [C, S]
    """The samples of a frame of interleaved floats; PyAV miscounts eight planes."""
    return packed.to_ndarray().reshape(-1, packed.layout.nb_channels).T


def _scale(path: Path, codec: str, told: list[str]) -> float:
    """What samples are divided by: 1, unless they are floats as large as integers, which takes reading them all."""
    if not codec.startswith(("pcm_f", "wavpack")):
        return 1.0
    peak = 0.0
    with opened(path, "audio") as container:
        track, converter = chosen(container, "audio"), av.AudioResampler(format="flt")
        for frame in frames(container, track, [], "") if track else ():
            if frame is not None:
                for packed in converter.resample(frame):
                    samples = packed.to_ndarray()
                    peak = max(peak, float(np.abs(samples[np.isfinite(samples)]).max(initial=0)))
    if peak <= LOUDEST:
        return 1.0
    bits = next((bits for bits in _WIDTHS if peak <= 2 ** (bits - 1)), None)
    if bits is None:
        raise GaussianTalkerError(f"The samples of {path} are as large as {peak:.1g}: write them as floats in [-1, 1].")
    tell(told, f"its samples are floats as large as {bits}-bit integers and were divided by {2 ** (bits - 1):,}")
    return 2.0 ** (bits - 1)
