"""Decoded pictures made upright RGB of square pixels, whole instead of interlaced, in BT.709 instead of HDR."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import Colorspace

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import hdr
from gaussiantalker.media.tracks import tell

_HD_HEIGHT = 720
_UNTAGGED, _BT2020 = 2, 9
_SAME_SHAPE = 0.02  # by which the shapes of pictures may differ that are brought to one size


def progressive(frames: Iterable[av.VideoFrame], told: list[str]) -> Iterator[av.VideoFrame]:
    """The same pictures, with both fields of interlaced ones at one time (ffmpeg's `bwdif`)."""
    graph, shape = None, None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        if graph is None or shape != (frame.width, frame.height, frame.format.name):
            if graph is None:
                tell(told, "the film is interlaced; its fields were brought to one time")
            else:
                yield from _drained(graph)
            shape = (frame.width, frame.height, frame.format.name)
            graph = _chain(frame, ("bwdif", "mode=send_frame:deint=interlaced"))
        graph.push(frame)
        yield from _ready(graph)
    if graph is not None:
        yield from _drained(graph)


def _chain(frame: av.VideoFrame, *filters: tuple[str, str]) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    graph.link_nodes(source, *(graph.add(*one) for one in filters), graph.add("buffersink")).configure()
    return graph


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield _pulled(graph)
        except (BlockingIOError, EOFError):  # which PyAV's own are
            return


def _pulled(graph: Graph) -> av.VideoFrame:
    frame = graph.pull()
    assert isinstance(frame, av.VideoFrame), "its source is one of pictures"
    return frame


def _drained(graph: Graph) -> Iterator[av.VideoFrame]:
    graph.push(None)
    yield from _ready(graph)


class Upright:
    """Turns decoded pictures into RGB [H, W, 3] as a player shows them, all of the first one's size.

    `ratio` is the width of a pixel over its height; pictures whose shorter side has more than `most_lines` are made
    that small on the way, so that none is ever whole in memory as RGB. `white` finds the nits of white in an HDR film.
    """

    def __init__(
        self, path: Path, ratio: Fraction, most_lines: int | None, white: Callable[[], float], told: list[str]
    ) -> None:
        self._path, self._ratio, self._most_lines, self._white, self._told = path, ratio, most_lines, white, told
        self._stored: tuple[int, int] | None = None  # size of the first picture, before it is turned
        self._asked: tuple[int, int] | None = None
        self._graph: Graph | None = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        width, height = self._size(frame)
        if frame.color_trc in hdr.NAMES:
            image = self._from_hdr(frame, width, height).to_ndarray()
        else:
            matrix = frame.colorspace
            if matrix == _UNTAGGED:  # the usual rule: BT.709 from 720 lines up
                matrix = Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601
            how = "AREA" if width * height < frame.width * frame.height else None
            image = frame.reformat(width, height, "rgb24", src_colorspace=matrix, interpolation=how).to_ndarray()
        return _turned(image, self._matrix)

    def _size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """What a picture is scaled to before it is turned. Raises GaussianTalkerError when the film changes shape."""
        if self._stored is not None and self._asked == (frame.width, frame.height):
            return self._stored
        self._asked = (frame.width, frame.height)
        size = square(frame.width, frame.height, self._ratio, self._most_lines)
        if self._stored is None:
            self._stored, self._matrix = size, _display_matrix(frame)
            if self._ratio != 1:
                tell(self._told, f"its pixels are not square; pictures were stretched to {size[0]} x {size[1]}")
        elif size != self._stored:
            (width, height), (new_width, new_height) = self._stored, size
            if abs(new_width * height / (new_height * width) - 1) > _SAME_SHAPE:
                raise GaussianTalkerError(
                    f"The pictures of {self._path} change from {width} x {height} to {new_width} x {new_height} at "
                    f"{frame.time or 0:.1f} s; cut the film there."
                )
            change = f"pictures change from {width} x {height} to {new_width} x {new_height}; brought to the first size"
            tell(self._told, change)
        return self._stored

    def _from_hdr(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        if self._graph is None:
            white = self._white()
            tell(
                self._told, f"HDR ({hdr.NAMES[frame.color_trc]}) was brought to BT.709; white lies at {white:.0f} nits"
            )
            with tempfile.TemporaryDirectory() as folder:
                cube = Path(folder) / "hdr.cube"
                hdr.write_cube(cube, frame.color_trc, white)
                self._graph = _chain(
                    signal(frame, width, height), ("lut3d", f"file={cube}:interp=tetrahedral"), ("format", "rgb24")
                )
        self._graph.push(signal(frame, width, height))
        return _pulled(self._graph)


def signal(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """R'G'B' of an HDR picture, 16 bits each."""
    matrix = _BT2020 if frame.colorspace == _UNTAGGED else frame.colorspace
    return frame.reformat(width, height, "rgb48le", src_colorspace=matrix, interpolation="AREA")


def square(width: int, height: int, ratio: Fraction, most_lines: int | None) -> tuple[int, int]:
    """Width and height with square pixels, none made smaller but by `most_lines`."""
    wide, high = (width * ratio, Fraction(height)) if ratio >= 1 else (Fraction(width), height / ratio)
    shrink = min(Fraction(most_lines or 1 << 20) / min(wide, high), 1)
    return max(round(wide * shrink), 1), max(round(high * shrink), 1)


def _display_matrix(frame: av.VideoFrame) -> np.ndarray:  # [2, 2], of -1, 0 and 1
    """How a picture is to be turned and mirrored, x to the right and y down, to the nearest quarter.

    PyAV ties a frame that was asked to itself, so that it stays until garbage is collected: ask one, not all.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return np.eye(2, dtype=int)
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].astype(int)
    return np.sign([[a, 0], [0, d]] if abs(a) > abs(b) else [[0, b], [c, 0]])


def _turned(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The picture turned and mirrored by a display matrix."""
    (a, b), (c, d) = matrix
    if a == d == 1:
        return image
    if b:
        image, a, d = image.swapaxes(0, 1), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
