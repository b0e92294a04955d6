"""Sound that an avatar is to speak: what the ear hears of it, and itself as it was given."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import numpy as np

from gaussiantalker.media.audio import heard
from gaussiantalker.media.recording import Piece, pieces, planes
from gaussiantalker.timing import FPS, SAMPLE_RATE

# What AAC can hold; other rates and layouts are brought to the nearest that keeps all that is heard.
_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
_OTHERS = 48_000
_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1")


@dataclass(frozen=True)
class Sound:
    """Sound, whole. `rate` and `layout` (ffmpeg's name) are those of `pieces`, its own as far as AAC can hold them."""

    heard: np.ndarray  # float32 [S], 16 kHz mono
    rate: int = SAMPLE_RATE
    layout: str = "mono"
    file: Path | None = None  # None where what is heard is all there is
    told: tuple[str, ...] = ()  # what was bridged or converted, a sentence each

    @classmethod
    def of(cls, path: str | Path) -> "Sound":
        """The sound of a file, from where its sound or its picture begins.

        Raises GaussianTalkerError as `audio.read_audio`.
        """
        told: list[str] = []
        forms: dict[tuple[int, str], None] = {}

        def noted() -> Iterator[Piece]:
            for piece in pieces(path, True, told):
                forms[piece.rate, piece.layout] = None
                yield piece

        samples = np.concatenate([*heard(noted(), SAMPLE_RATE, told)])
        rate = max(rate for rate, _ in forms)
        layout = max((layout for _, layout in forms), key=lambda name: av.AudioLayout(name).nb_channels)
        layout = layout if layout in _LAYOUTS else _layout(av.AudioLayout(layout).nb_channels)
        return cls(samples, rate if rate in _RATES else _OTHERS, layout, Path(path), tuple(told))

    def pieces(self) -> Iterator[np.ndarray]:  # of float32 [C, S]
        """The sound as it was given, some at a time."""
        if self.file is None:
            for start in range(0, len(self.heard), self.rate):
                yield self.heard[None, start : start + self.rate]
            return
        converter, form = None, (self.rate, self.layout)
        for piece in pieces(self.file, True, []):
            if (piece.rate, piece.layout) != form:
                yield from _converted(converter, None)
                form = (piece.rate, piece.layout)
                converter = None
                if form != (self.rate, self.layout):
                    converter = av.AudioResampler(format="flt", layout=self.layout, rate=self.rate)
            yield from _converted(converter, piece)
        yield from _converted(converter, None)


def _converted(converter: av.AudioResampler | None, piece: Piece | None) -> Iterator[np.ndarray]:
    """A piece in another form, or, at the end, what the converter still holds."""
    if converter is None:
        if piece is not None:
            yield piece.samples
        return
    frame = None if piece is None else audio_frame(piece.samples, piece.rate, piece.layout)
    for ready in converter.resample(frame) if piece is None or piece.samples.size else ():
        yield planes(ready)


def audio_frame(samples: np.ndarray, rate: int, layout: str) -> av.AudioFrame:
    """A frame of float32 [C, S]."""
    interleaved = np.ascontiguousarray(samples.T, np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    return frame


def _layout(channels: int) -> str:
    """What AAC holds so many channels in."""
    return "mono" if channels == 1 else "stereo" if channels < 6 else "5.1"


def per_frame(sound: Sound, fps: int = FPS) -> Iterator[np.ndarray]:  # of float32 [C, S]
    """The sound of one picture after another, without end: silence follows it."""
    channels = av.AudioLayout(sound.layout).nb_channels
    ready, coming = np.zeros((channels, 0), np.float32), sound.pieces()
    for k in count():
        wanted = (k + 1) * sound.rate // fps - k * sound.rate // fps
        while ready.shape[1] < wanted:
            piece = next(coming, None)
            if piece is None:
                piece = np.zeros((channels, wanted - ready.shape[1]), np.float32)
            ready = np.concatenate([ready, piece], axis=1)
        yield ready[:, :wanted]
        ready = ready[:, wanted:]
