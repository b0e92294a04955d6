"""Video in and out through PyAV. Pictures are uint8 RGB [H, W, 3], those that are read 25 a second."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path
from threading import local

import av
import numpy as np
from av.audio import AudioStream
from av.container import InputContainer, OutputContainer
from av.format import Flags
from av.video import VideoStream
from av.video.reformatter import Colorspace, VideoReformatter

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.hdr import LIGHTEST_WHITE, white_of
from gaussiantalker.media.pictures import Upright, progressive, signal, square
from gaussiantalker.media.sound import Sound, audio_frame, per_frame
from gaussiantalker.media.tracks import chosen, frames, measured, opened
from gaussiantalker.timing import FPS, SAMPLE_RATE

_BT709, _LIMITED_RANGE = 1, 1
_WIDEST = 4  # times as wide as high, or as high as wide: what says more of its pixels is damaged
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
        width, height = square(first.width, first.height, _pixel_ratio(track), None)
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
        upright = Upright(Path(path), _pixel_ratio(track), most_lines, partial(_white, path), told)
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


def _pixel_ratio(track: VideoStream) -> Fraction:
    """Width over height of a track's pixels."""
    ratio = Fraction(track.sample_aspect_ratio or 1)
    return ratio if Fraction(1, _WIDEST) <= ratio <= _WIDEST else Fraction(1)


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
    return _converter.reformatter.reformat(frame, format=pixels, dst_colorspace=Colorspace.ITU709, threads=1)


class _Converter(local):
    """Each thread's own, kept: to begin anew, on several threads, takes longer than to convert a small picture."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()


_converter = _Converter()


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

    The format is one of `FORMATS`, by BT.709; an mp4 starts to play before it is whole. A `Sound` is written as it was
    given, at its own rate and with its own channels. `comment` goes into the file's metadata, where players and search
    tools show it.

    Raises GaussianTalkerError when there are no pictures.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise GaussianTalkerError(f"There are no frames to write to {path}: give at least one.")
    how, clear = FORMATS[Path(path).suffix.lower()], first.shape[2] == 4
    pixels = how.clear if clear else how.pixels
    if pixels is None:
        raise GaussianTalkerError(f"{path} cannot hold transparent pictures; write a .webm or .mov film.")
    sound = Sound(audio, sample_rate) if isinstance(audio, np.ndarray) else audio
    with atomic_path(path) as temporary, av.open(str(temporary), "w", options=how.container) as container:
        container.metadata["comment"] = comment
        height, width = first.shape[:2]
        film = _picture_track(container, how, pixels, (width + width % 2, height + height % 2), crf, fps)
        track = _sound_track(container, how, sound) if sound else None
        heard = 0
        # What the two tracks say about time is their own counts, so they cannot drift apart.
        for k, (image, piece) in enumerate(zip(chain([first], frames), _pieces(sound, fps), strict=False)):
            frame = encodable(image, pixels)
            frame.pts, frame.time_base = k, Fraction(1, fps)
            container.mux(film.encode(frame))
            if sound and track and piece.size:
                samples = audio_frame(np.clip(piece, -1, 1), sound.rate, sound.layout)
                samples.pts, heard = heard, heard + samples.samples
                container.mux(track.encode(samples))
        for stream in (film, track) if track else (film,):
            container.mux(stream.encode(None))


def _pieces(sound: Sound | None, fps: int) -> Iterable[np.ndarray]:
    return per_frame(sound, fps) if sound else repeat(np.zeros(0, np.float32))


def _picture_track(
    container: OutputContainer, how: _Format, pixels: str, size: tuple[int, int], crf: int, fps: int
) -> VideoStream:
    quality = how.quality if how.picture == "prores_ks" else {"crf": str(crf), **how.quality}
    film = container.add_stream(how.picture, rate=fps, options=quality)
    assert isinstance(film, VideoStream), "the codec is one of pictures"
    (film.width, film.height), film.pix_fmt, context = size, pixels, film.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE
    return film


def _sound_track(container: OutputContainer, how: _Format, sound: Sound) -> AudioStream:
    track = container.add_stream(how.sound, rate=how.rate(sound.rate), layout=sound.layout)
    assert isinstance(track, AudioStream), "the codec is one of sound"
    per_channel = 128_000 if sound.rate > SAMPLE_RATE else 64_000
    track.bit_rate = track.codec_context.layout.nb_channels * per_channel
    return track
