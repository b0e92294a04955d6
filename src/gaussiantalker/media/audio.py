"""Sound as float32 mono in [-1, 1], at 16 kHz unless said otherwise."""

import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import soxr

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path, existing_file
from gaussiantalker.timing import SAMPLE_RATE


def read_audio(path: str | Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:  # [S]
    """The first sound track of any audio or video file, mixed to mono.

    In a video, sample 0 is the instant of the first picture: sound before it is cut, and silence fills a late start,
    so that sample and frame numbers belong together. Raises GaussianTalkerError when there is no sound.
    """
    return np.concatenate([*_pieces(path, sample_rate)])


def _pieces(path: str | Path, sample_rate: int) -> Iterator[np.ndarray]:
    """The same sound, some at a time."""
    path, anything = existing_file(path, "audio or video"), False
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise GaussianTalkerError(f"{path} has no sound; give a file with an audio track")
            for piece in _mono(container, _picture_start(container), sample_rate):
                anything = anything or bool(piece.size)
                yield np.nan_to_num(piece, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
    except av.FFmpegError as error:
        reason = error.strerror
        raise GaussianTalkerError(f"{path} is not sound that can be read ({reason}); use wav, mp3 or mp4") from None
    if not anything:
        raise GaussianTalkerError(f"the sound track of {path} is empty; give a file with sound in it")


def language(path: str | Path) -> str | None:
    """The language that a file says its sound is in, mostly as three letters (ISO 639-2); None where it says nothing.

    Raises GaussianTalkerError when the file cannot be opened.
    """
    path = existing_file(path, "audio or video")
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            said = [stream.metadata.get("language") for stream in container.streams.audio]
    except av.FFmpegError as error:
        raise GaussianTalkerError(f"{path} is not sound that can be read ({error.strerror})") from None
    return said[0] if said and said[0] not in ("", "und", "mis", "zxx") else None


def _picture_start(container: av.container.InputContainer) -> float | None:
    """Seconds of the first picture on the container's clock; cover art of a song is no picture in this sense."""
    videos = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not videos or videos[0].start_time is None:
        return None
    return float(videos[0].start_time * videos[0].time_base)


def _mono(container: av.container.InputContainer, start: float | None, rate: int) -> Iterator[np.ndarray]:
    """Chunks of mono sound at `rate`, beginning at `start`, or with the first sample when that is None.

    Pieces go through a streaming resampler, so that an hour of sound never lies in memory at its own rate.
    """
    stream = container.streams.audio[0]
    stream.thread_type = "AUTO"
    converter = av.AudioResampler(format="fltp")
    stretch, skip = None, 0
    for decoded in container.decode(stream):
        for frame in converter.resample(decoded):
            mono = frame.to_ndarray().mean(axis=0, dtype=np.float32)
            if stretch is None:
                stretch = soxr.ResampleStream(frame.sample_rate, rate, 1, dtype="float32")
                skip = 0 if start is None or decoded.time is None else round((start - decoded.time) * frame.sample_rate)
                mono = np.pad(mono, (max(-skip, 0), 0))
            used = min(max(skip, 0), mono.size)
            skip -= used
            yield stretch.resample_chunk(mono[used:])
    if stretch is not None:
        yield stretch.resample_chunk(np.zeros(0, np.float32), last=True)


def resample(samples: np.ndarray, source_rate: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:  # [S']
    """float32 [S] or [S, channels] at `source_rate`, mixed to mono at `sample_rate` (soxr, high quality)."""
    samples = np.asarray(samples, np.float32)
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    return mono if source_rate == sample_rate else soxr.resample(mono, source_rate, sample_rate)


def write_wav(path: str | Path, samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """16-bit WAV of float32 [S]; what lies beyond [-1, 1] is clipped."""
    _write_pieces(path, [samples], sample_rate)


def copy_wav(source: str | Path, path: str | Path, length: int) -> int:
    """The sound of any file as 16-bit WAV at 16 kHz with `length` samples, cut off or continued in silence.

    An hour of it is never in memory. Returns how many samples the source has. Raises GaussianTalkerError as
    `read_audio`.
    """
    heard = 0

    def fitted() -> Iterator[np.ndarray]:
        nonlocal heard
        for piece in _pieces(source, SAMPLE_RATE):
            yield piece[: max(length - heard, 0)]
            heard += len(piece)
        yield np.zeros(max(length - heard, 0), np.float32)

    _write_pieces(path, fitted(), SAMPLE_RATE)
    return heard


def _write_pieces(path: str | Path, pieces: Iterable[np.ndarray], sample_rate: int) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as raw, wave.open(raw) as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        for samples in pieces:
            file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
