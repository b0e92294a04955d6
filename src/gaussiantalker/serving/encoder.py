"""H.264 for live faces."""

from collections.abc import Callable
from fractions import Fraction
from time import perf_counter

import av
from aiortc.codecs.h264 import H264Encoder
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from gaussiantalker.timing import FPS

_BITS_PER_PIXEL = 1.0  # of the highest rate: a sharp face at any motion, 1.6 Mbit/s at 256 pixels, 6.6 at 512
_LEAST, _MOST = 0.25, 10e6  # of that highest rate; bit/s
_STEP = 1.3  # the encoder begins anew, with a whole picture, when the rate it may use changes by more than this
_CRF = 20
_BT709, _LIMITED_RANGE = 1, 1


def set_up(codec: VideoCodecContext, width: int, height: int, most_bits: float, **options: str) -> None:
    """Makes libx264 keep one quality, without delay, below `most_bits` a second over any half second."""
    codec.width, codec.height = width + width % 2, height + height % 2  # as `encodable` makes them
    codec.pix_fmt, codec.profile = "yuv420p", "Baseline"
    codec.framerate, codec.time_base = Fraction(FPS), Fraction(1, FPS)
    codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
    codec.color_range = _LIMITED_RANGE
    codec.thread_count = 1  # the renderer needs the other cores more
    kilobits = round(most_bits / 1000)
    bounds = {"maxrate": f"{kilobits}k", "bufsize": f"{kilobits // 2}k"}
    codec.options = {"preset": "veryfast", "tune": "zerolatency", "crf": str(_CRF), **bounds, **options}


def highest_rate(width: int, height: int) -> float:
    """Bits per second that pictures of this size may take."""
    return min(_BITS_PER_PIXEL * width * height * FPS, _MOST)


class FaceEncoder(H264Encoder):
    """aiortc's H.264 packets from an encoder of our own.

    aiortc's has 1 Mbit/s and never more than 3, at a preset that takes a third of a frame's time. This one keeps a
    quality, and takes what the receiver says it can take only as a bound.
    """

    def __init__(self, width: int, height: int, note: Callable[[float], None]) -> None:
        """`note` is told how many seconds each picture took."""
        super().__init__()
        self._size, self._note = (width, height), note
        self._rate = self._used_rate = highest_rate(width, height)
        self._codec = self._begin()

    @property
    def target_bitrate(self) -> int:
        """Bits per second that may be used; the receiver's estimate sets it."""
        return round(self._rate)

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        most = highest_rate(*self._size)
        self._rate = min(max(bitrate, _LEAST * most), most)

    def encode(self, frame: av.VideoFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """RTP payloads of a yuv420p picture and its time at 90 kHz. Runs in an executor's thread."""
        began = perf_counter()
        if not 1 / _STEP < self._rate / self._used_rate < _STEP:
            self._used_rate = self._rate
            self._codec = self._begin()
        frame.pict_type = PictureType.I if force_keyframe else PictureType.NONE
        packet = self._codec.encode(frame)[0]
        payloads = self.pack(packet)
        self._note(perf_counter() - began)
        return payloads

    def _begin(self) -> VideoCodecContext:
        codec = av.CodecContext.create("libx264", "w")
        set_up(codec, *self._size, self._rate)
        return codec
