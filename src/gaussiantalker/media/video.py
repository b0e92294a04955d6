"""Video in and out through PyAV. Pictures are uint8 RGB [H, W, 3], those that are read 25 a second."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.audio import AudioStream
from av.container import InputContainer
from av.format import Flags
from av.video import VideoStream
from av.video.reformatter import Colorspace

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.hdr import LIGHTEST_WHITE, white_of
from gaussiantalker.media.pictures import Upright, pixel_ratio, progressive, signal, square
from gaussiantalker.media.sound import Sound, audio_frame, per_frame
from gaussiantalker.media.tracks import chosen, frames, measured, opened
from gaussiantalker.timing import FPS, SAMPLE_RATE

_BT709, _LIMITED_RANGE = 1, 1
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_FASTEST = 480  # pictures a second that a film has; what says more was misled by its time stamps
_LOOKS, _LOOK_LINES = 40, 180  # pictures, and their lines, by which white is judged


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself; width and height are those of the upright picture."""

    width: int
    height: int
    fps: float
    frames: int | None
    duration: float  # seconds
    rotation: int  # degrees counter-clockwise that make the stored picture upright
    has_audio: bool


def probe(path: str | Path) -> VideoInfo:
    """Facts about a video, after one picture was really decoded. Raises GaussianTalkerError when it is no video."""
    with _opened(path) as (container, track):
        first = next(_decoded(path, container, track, []))
        width, height = square(first.width, first.height, pixel_ratio(track), None)
        if first.rotation % 180:
            width, height = height, width
        duration = (
            float(track.duration * track.time_base)
            if track.duration and track.time_base
            else (container.duration or 0) / 1e6
        )
        if not duration or Flags.ts_discont & Flags(container.format.flags):  # such a file cannot know it
            with _opened(path) as (again, same):
                duration = measured(again, same, _rate(track))
        has_audio = chosen(container, "audio") is not None
        return VideoInfo(width, height, _rate(track), track.frames or None, duration, first.rotation % 360, has_audio)


def read_frames(
    path: str | Path, *, most_lines: int | None = None, told: list[str] | None = None
) -> Iterator[np.ndarray]:  # of [H, W, 3]
    """Upright pictures at 25 fps: picture k is what the source shows at (k + 1/2) / 25 s after its first picture.

    Timestamps decide, not counts, so sources of another or a varying rate keep their sound. A file that breaks off
    gives the pictures before the break. Pictures are as a player shows them: whole where the film is interlaced, with
    square pixels, HDR in BT.709; what was bridged or converted is put into `told`, a sentence each. Pictures whose
    shorter side has more than `most_lines` are made that small on the way.
    Raises GaussianTalkerError where there is no picture, where pictures change their shape, and at the end when more
    than a tenth could not be decoded.
    """
    told, k = [] if told is None else told, 0
    with _opened(path) as (container, track):
        upright = Upright(Path(path), pixel_ratio(track), most_lines, partial(_white, path), told)
        for start, end, frame in _shown(_decoded(path, container, track, told), 1 / _rate(track)):
            image = None
            while (k + 0.5) / FPS < end:
                if (k + 0.5) / FPS >= start:
                    image = upright(frame) if image is None else image
                    yield image
                k += 1


def _shown(pictures: Iterator[av.VideoFrame], usual_gap: float) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """Pictures with the seconds, from the first one's, between which each is shown."""
    held, begin, last_gap = next(pictures), 0.0, usual_gap
    zero = held.time or 0.0
    for frame in pictures:
        time = begin + usual_gap if frame.time is None else frame.time - zero
        if time > begin:
            last_gap = time - begin
            yield begin, time, held
            held, begin = frame, time
    yield begin, begin + min(last_gap, usual_gap), held


def _decoded(
    path: str | Path, container: InputContainer, track: VideoStream, told: list[str]
) -> Iterator[av.VideoFrame]:
    """Whole pictures; at least one, else GaussianTalkerError."""
    first = None
    whole = (frame for frame in frames(container, track, told, "packets of pictures") if frame)
    for first in progressive(whole, told):
        yield first
    if first is None:
        raise GaussianTalkerError(f"{path} holds no picture that can be decoded; export it again as H.264 mp4.")


def _rate(track: VideoStream) -> float:
    """Pictures a second; where they have no time stamps, what the codec says."""
    rates = [track.average_rate, track.guessed_rate]
    rates = rates if track.start_time is not None else rates[::-1]
    return float(next((rate for rate in rates if rate and rate <= _FASTEST), FPS))


def _white(path: str | Path) -> float:
    """Nits of white in an HDR film, judged by its key pictures."""
    with _opened(path) as (container, track):
        track.codec_context.skip_frame = "NONKEY"
        looks, transfer = [], 0
        for frame in islice(filter(None, frames(container, track, [], "")), _LOOKS):
            small = square(frame.width, frame.height, Fraction(1), _LOOK_LINES)
            looks.append(signal(frame, *small).to_ndarray().reshape(-1, 3) / 65535)
            transfer = frame.color_trc
    return white_of(np.concatenate(looks), transfer) if looks else LIGHTEST_WHITE


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    with opened(path, "video") as container:
        track = chosen(container, "video")
        if track is None:
            raise GaussianTalkerError(f"{path} has no picture track; give a video file.")
        yield container, track


def encodable(image: np.ndarray, pixels: str = "yuv420p") -> av.VideoFrame:
    """A picture uint8 [H, W, 3 or 4] as codecs want it: by BT.709, an odd edge repeated once for even sizes."""
    height, width, channels = image.shape
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgba" if channels == 4 else "rgb24")
    return frame.reformat(format=pixels, dst_colorspace=Colorspace.ITU709)


@dataclass(frozen=True)
class _Format:
    """How films of one ending are written."""

    picture: str
    pixels: str
    sound: str
    quality: dict[str, str]
    clear: str | None = None  # pixels with alpha
    container: dict[str, str] = field(default_factory=dict)

    def rate(self, sample_rate: int) -> int:
        """Hz at which sound of this rate is kept."""
        return sample_rate if self.sound != "libopus" or sample_rate in _OPUS_RATES else max(_OPUS_RATES)


FORMATS = {
    ".mp4": _Format("libx264", "yuv420p", "aac", {"preset": "medium"}, container={"movflags": "+faststart"}),
    ".webm": _Format(
        "libvpx-vp9",
        "yuv420p",
        "libopus",
        {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1", "auto-alt-ref": "0"},
        clear="yuva420p",
    ),
    ".mov": _Format("prores_ks", "yuv444p10le", "pcm_s16le", {"profile": "4444"}, clear="yuva444p10le"),
}
"""By ending: H.264 and AAC, VP9 and Opus, ProRes 4444 and PCM. The latter two hold transparent pictures."""


class _VideoWriter:
    """A film of one of `FORMATS`, by BT.709; an mp4 starts to play before it is whole.

    A context manager: the file gets its name only when the block ends well. Sound may be written in pieces of any
    length; what the two streams say about time is their own counts, so they cannot drift apart.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        *,
        sound: bool = True,
        sample_rate: int = SAMPLE_RATE,
        layout: str = "mono",
        crf: int = 16,
        comment: str = "",
        fps: int = FPS,
        clear: bool = False,
    ) -> None:
        """`clear`: pictures have alpha."""
        self._stack = ExitStack()
        self._target, self._size, self._crf = Path(path), (width + width % 2, height + height % 2), crf
        self._format, self._fps = FORMATS[self._target.suffix.lower()], fps
        pixels = self._format.clear if clear else self._format.pixels
        if pixels is None:
            raise GaussianTalkerError(f"{path} cannot hold transparent pictures; write a .webm or .mov film.")
        self._pixels = pixels
        self._sample_rate, self._layout = sample_rate if sound else 0, layout
        self._written, self._comment = 0, comment

    def __enter__(self) -> "_VideoWriter":
        temporary = self._stack.enter_context(atomic_path(self._target))
        how = self._format
        self._container = self._stack.enter_context(av.open(str(temporary), "w", options=how.container))
        self._container.metadata["comment"] = self._comment
        quality = how.quality if how.picture == "prores_ks" else {"crf": str(self._crf), **how.quality}
        video = self._container.add_stream(how.picture, rate=self._fps, options=quality)
        assert isinstance(video, VideoStream), "the codec is one of pictures"
        self._video, (video.width, video.height), video.pix_fmt = video, self._size, self._pixels
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        self._audio: AudioStream | None = None
        self._samples = 0
        if self._sample_rate:
            audio = self._container.add_stream(how.sound, rate=how.rate(self._sample_rate), layout=self._layout)
            assert isinstance(audio, AudioStream), "the codec is one of sound"
            per_channel = 128_000 if self._sample_rate > SAMPLE_RATE else 64_000
            self._audio, audio.bit_rate = audio, audio.codec_context.layout.nb_channels * per_channel
        return self

    def write(self, image: np.ndarray) -> None:
        """Appends one picture uint8 [H, W, 3], with alpha [H, W, 4]."""
        frame = encodable(image, self._pixels)
        frame.pts, frame.time_base = self._written, Fraction(1, self._fps)
        self._written += 1
        self._container.mux(self._video.encode(frame))

    def write_audio(self, samples: np.ndarray) -> None:
        """Appends sound float32 [S], or [C, S] of the writer's layout, in [-1, 1] at the writer's sample rate."""
        if not samples.size or self._audio is None:
            return
        frame = audio_frame(np.clip(np.atleast_2d(samples), -1, 1), self._sample_rate, self._layout)
        frame.pts = self._samples
        self._samples += frame.samples
        self._container.mux(self._audio.encode(frame))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            return self._stack.__exit__(kind, error, trace)
        with self._stack:  # what fails from here on fails the file, too
            self._container.mux(self._video.encode(None))
            if self._audio is not None:
                self._container.mux(self._audio.encode(None))
        return None


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    audio: np.ndarray | Sound | None = None,
    *,
    sample_rate: int = SAMPLE_RATE,
    crf: int = 16,
    comment: str = "",
    fps: int = FPS,
) -> None:
    """Writes pictures uint8 [H, W, 3], or [H, W, 4] with alpha, with float32 [S] sound cut or padded to their length.

    A `Sound` is written as it was given, at its own rate and with its own channels. `comment` goes into the file's
    metadata, where players and search tools show it.

    Raises GaussianTalkerError when there are no pictures.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise GaussianTalkerError(f"There are no frames to write to {path}: give at least one.")
    height, width, channels = first.shape
    sound = Sound(audio, sample_rate) if isinstance(audio, np.ndarray) else audio
    options: dict[str, Any] = {"crf": crf, "comment": comment, "fps": fps, "clear": channels == 4}
    options |= {"sample_rate": sound.rate, "layout": sound.layout} if sound else {"sound": False}
    with _VideoWriter(path, width, height, **options) as writer:
        pieces = per_frame(sound, fps) if sound else repeat(None)
        for image, piece in zip(chain([first], frames), pieces, strict=False):
            writer.write(image)
            if piece is not None:
                writer.write_audio(piece)
