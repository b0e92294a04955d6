"""What is behind an avatar in the place of its own room."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ImageColor

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.image import read_image, resize
from gaussiantalker.media.video import read_frames

GREEN = (0, 177, 64)  # what studios call chroma green
TRANSPARENT = "transparent"
_MOST_LINES = 1080  # of a film's pictures


@dataclass(frozen=True)
class Background:
    """Nothing, one picture, or a film that begins anew when it has ended."""

    picture: np.ndarray | None = None  # uint8 [H, W, 3], or [1, 1, 3] for a colour
    film: "_Film | None" = None

    @classmethod
    def of(cls, what: "str | Path | Background") -> "Background":
        """`transparent`, `green`, a colour (a name of CSS or as #rrggbb), or the file of a picture or a film.

        Raises GaussianTalkerError when it is none of these.
        """
        if isinstance(what, Background):
            return what
        if str(what) == TRANSPARENT:
            return cls()
        if colour := cls.coloured(str(what)):
            return colour
        if not Path(what).exists():
            raise GaussianTalkerError(
                f"The background {str(what)!r} is neither transparent nor a colour, and there is no such file: give "
                "green, #rrggbb, a colour's name, a picture or a video."
            )
        with suppress(GaussianTalkerError):
            return cls(read_image(what))
        try:
            return cls(film=_Film(Path(what)))
        except GaussianTalkerError:
            raise GaussianTalkerError(
                f"The background {what} is neither a picture nor a video that can be read: give a PNG, JPEG or mp4."
            ) from None

    @classmethod
    def coloured(cls, name: str) -> "Background | None":
        """A wall of this colour, `green` being a studio's; None where it is none."""
        try:
            colour = GREEN if name == "green" else ImageColor.getrgb(name)[:3]
        except ValueError:
            return None
        return cls(np.array(colour, np.uint8).reshape(1, 1, 3))

    def filling(self, width: int, height: int) -> "Background":
        """The same, its picture as large as the avatar's already."""
        if self.picture is None or self.picture.shape[:2] == (1, 1):
            return self
        return Background(_filling(self.picture, (width, height)))

    @property
    def transparent(self) -> bool:
        return self.picture is None and self.film is None

    def behind(self, person: np.ndarray, frame: int) -> np.ndarray:
        """The picture uint8 [H, W, 3] of a person [H, W, 4], as `Matte.cut` gives it; where the background is
        transparent, the person itself."""
        picture = self.film.at(frame) if self.film else self.picture
        if picture is None:
            return person
        behind = picture if picture.shape[:2] == (1, 1) else _filling(picture, person.shape[1::-1])
        alpha = person[..., 3:]
        out = np.where(alpha == 255, person[..., :3], behind)
        edge = np.nonzero((alpha[..., 0] > 0) & (alpha[..., 0] < 255))
        share = alpha[edge] / np.float32(255)
        out[edge] = np.rint(out[edge] + share * (person[edge][:, :3] - out[edge].astype(np.float32)))
        return out


class _Film:
    """A film's pictures by the frames of a performance, from the first that is asked for on; in turn they are quick."""

    def __init__(self, path: Path):
        """Raises GaussianTalkerError when it is no film."""
        self._path, self._lock = path, threading.Lock()
        self._begin: int | None = None
        self._length: int | None = None  # known once it has ended
        self._rewind()
        self._at(0)

    def at(self, frame: int) -> np.ndarray:  # [H, W, 3]
        """The picture in this frame."""
        with self._lock:
            self._begin = frame if self._begin is None else self._begin
            return self._at(frame - self._begin)

    def _at(self, wanted: int) -> np.ndarray:
        wanted = wanted % self._length if self._length else max(wanted, 0)
        if wanted < self._place:
            self._rewind()
        while self._place < wanted:
            picture = next(self._pictures, None)
            if picture is None:
                self._length = self._place + 1
                return self._at(wanted)
            self._picture, self._place = picture, self._place + 1
        return self._picture

    def _rewind(self) -> None:
        self._pictures: Iterator[np.ndarray] = read_frames(self._path, most_lines=_MOST_LINES)
        self._place = -1


def _filling(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a picture [h, w, 3] that fills this width and height."""
    if picture.shape[1::-1] == size:
        return picture
    scale = max(size[0] / picture.shape[1], size[1] / picture.shape[0])
    wide, high = (max(round(scale * n), least) for n, least in zip(picture.shape[1::-1], size, strict=True))
    left, top = (wide - size[0]) // 2, (high - size[1]) // 2
    return resize(picture, (wide, high))[top : top + size[1], left : left + size[0]]
