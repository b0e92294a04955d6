"""Video in and out through PyAV. Pictures are uint8 RGB [H, W, 3] at 25 frames a second."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.hardware import WORKERS
from gaussiantalker.media.files import atomic_path, existing_file
from gaussiantalker.timing import FPS, SAMPLE_RATE

_HD_HEIGHT = 720
_BT709, _UNTAGGED, _LIMITED_RANGE = 1, 2, 1


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
    with _opened(path) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise GaussianTalkerError(f"{path} holds no picture that can be decoded; export it again as H.264 mp4")
        rotation = first.rotation % 360
        width, height = (first.height, first.width) if rotation % 180 else (first.width, first.height)
        fps = float(stream.average_rate or stream.guessed_rate or FPS)
        duration = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        return VideoInfo(width, height, fps, stream.frames or None, duration, rotation, bool(container.streams.audio))


def read_frames(path: str | Path, *, most_lines: int | None = None) -> Iterator[np.ndarray]:  # of [H, W, 3]
    """Upright pictures at 25 fps: picture k is what the source shows at (k + 1/2) / 25 s after its first picture.

    Timestamps decide, not counts, so sources of another or a varying rate keep their sound. A file that breaks off
    gives the pictures before the break; one that gives none raises GaussianTalkerError. Pictures whose shorter side has
    more than `most_lines` are made that small on the way, so that none is ever whole in memory as RGB.
    """
    k = 0
    for start, end, frame in _shown(path):
        image = None
        while (k + 0.5) / FPS < end:
            if (k + 0.5) / FPS >= start:
                image = _upright(frame, most_lines) if image is None else image
                yield image
            k += 1


def _shown(path: str | Path) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """Decoded pictures with the seconds, from the first one's, between which each is shown."""
    held, begin, zero, last_gap = None, 0.0, None, 1 / FPS
    with _opened(path) as (container, stream):
        usual_gap = 1 / float(stream.average_rate or stream.guessed_rate or FPS)
        try:
            for frame in container.decode(stream):
                time = begin + usual_gap if frame.time is None else frame.time
                zero = time if zero is None else zero
                if held is not None and time - zero <= begin:
                    continue
                if held is not None:
                    last_gap = time - zero - begin
                    yield begin, time - zero, held
                held, begin = frame, time - zero
        except av.FFmpegError as error:
            if held is None:
                raise GaussianTalkerError(f"{path} cannot be decoded ({error.strerror}); export it as H.264") from None
        if held is None:
            raise GaussianTalkerError(f"{path} holds no picture that can be decoded; export it again as H.264 mp4")
        yield begin, begin + min(last_gap, usual_gap), held


def _upright(frame: av.VideoFrame, most_lines: int | None = None) -> np.ndarray:
    """RGB with the source's own colour matrix; untagged sources follow the usual rule, BT.709 from 720 lines up."""
    matrix = frame.colorspace
    if matrix == _UNTAGGED:
        matrix = Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601
    shrink = min((most_lines or frame.height) / min(frame.width, frame.height), 1)
    width, height = round(frame.width * shrink), round(frame.height * shrink)
    options = {"interpolation": "AREA"} if shrink < 1 else {}
    image = frame.reformat(width, height, "rgb24", src_colorspace=matrix, **options).to_ndarray()
    return np.ascontiguousarray(np.rot90(image, frame.rotation // 90)) if frame.rotation else image


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    path = existing_file(path, "video")
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.video:
                raise GaussianTalkerError(f"{path} has no picture track; give a video file")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = WORKERS
            yield container, stream
    except av.FFmpegError as error:
        reason = error.strerror
        raise GaussianTalkerError(f"{path} is not a video that can be read ({reason}); use mp4 or webm") from None


def encodable(image: np.ndarray) -> av.VideoFrame:
    """A picture uint8 [H, W, 3] as H.264 wants it: yuv420p by BT.709, an odd edge repeated once for even sizes."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)


class VideoWriter:
    """H.264 (yuv420p, BT.709) with AAC sound in an mp4 that starts to play before it is whole.

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
        crf: int = 16,
        comment: str = "",
    ) -> None:
        self._stack = ExitStack()
        self._target, self._size, self._crf = path, (width + width % 2, height + height % 2), crf
        self._sample_rate = sample_rate if sound else None
        self._written, self._comment = 0, comment

    def __enter__(self) -> "VideoWriter":
        temporary = self._stack.enter_context(atomic_path(self._target))
        options = {"movflags": "+faststart"}
        self._container = self._stack.enter_context(av.open(str(temporary), "w", format="mp4", options=options))
        self._container.metadata["comment"] = self._comment
        quality = {"crf": str(self._crf), "preset": "medium"}
        self._video = self._container.add_stream("libx264", rate=FPS, options=quality)
        self._video.width, self._video.height = self._size
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        self._audio, self._samples = None, 0
        if self._sample_rate:
            self._audio = self._container.add_stream("aac", rate=self._sample_rate, layout="mono")
            self._audio.bit_rate = 128_000 if self._sample_rate > SAMPLE_RATE else 64_000
        return self

    def write(self, image: np.ndarray) -> None:
        """Appends one picture uint8 [H, W, 3]."""
        frame = encodable(image)
        frame.pts, frame.time_base = self._written, Fraction(1, FPS)
        self._written += 1
        self._container.mux(self._video.encode(frame))

    def write_audio(self, samples: np.ndarray) -> None:
        """Appends mono sound float32 [S] in [-1, 1] at the writer's sample rate."""
        if not samples.size:
            return
        clipped = np.clip(samples, -1, 1).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(clipped), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._sample_rate, self._samples, Fraction(1, self._sample_rate)
        self._samples += samples.size
        self._container.mux(self._audio.encode(frame))

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> bool | None:
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
    audio: np.ndarray | None = None,
    *,
    sample_rate: int = SAMPLE_RATE,
    crf: int = 16,
    comment: str = "",
) -> None:
    """Writes pictures uint8 [H, W, 3] at 25 fps, with float32 [S] sound cut or padded to their length.

    `comment` goes into the file's metadata, where players and search tools show it.

    Raises GaussianTalkerError when there are no pictures.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise GaussianTalkerError(f"there are no frames to write to {path}")
    height, width = first.shape[:2]
    options = {"sample_rate": sample_rate, "crf": crf, "comment": comment}
    with VideoWriter(path, width, height, sound=audio is not None, **options) as writer:
        image, k = first, 0
        while image is not None:
            writer.write(image)
            if audio is not None:
                piece = audio[k * sample_rate // FPS : (k + 1) * sample_rate // FPS]
                missing = (k + 1) * sample_rate // FPS - k * sample_rate // FPS - piece.size
                writer.write_audio(np.pad(piece, (0, missing)))
            image, k = next(frames, None), k + 1
