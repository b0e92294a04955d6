"""One look through a film: small grey pictures of all of it, its cuts, and the faces in some of its pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gaussiantalker.capture.arrays import ArrayReader, ArrayWriter
from gaussiantalker.capture.camera import small_grey
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.media import video
from gaussiantalker.progress import Progress
from gaussiantalker.timing import FPS

_MOST_LINES = 2160  # larger films are made smaller while they are decoded
_LOOKS, _LEAST_APART = 60, FPS // 3  # and frames between two of them
_AFTER_CUT = 3  # frames after which the new picture is looked at
_KEPT = 640  # longer side of the pictures that are kept
_TRIES = 10  # looks in which a face that is not found is looked for sideways and head down, too
_CELLS = 24
_LEAST_CHANGE = 16.0  # grey levels by which a cut changes the mean cell of the picture
_TIMES_USUAL = 5.0  # and how much more than its neighbours
_NEIGHBOURS = 6


@dataclass(frozen=True)
class Look:
    """What one picture of a film shows."""

    frame: int
    faces: list[np.ndarray]  # [478, 2] landmarks of each, pixels of the film's picture
    jpeg: bytes  # the picture, made smaller

    def picture(self, turns: int) -> np.ndarray:  # [h, w, 3] uint8
        """The picture, upright."""
        decoded = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert decoded is not None, "a picture of our own"
        return np.ascontiguousarray(np.rot90(decoded, turns))


@dataclass(frozen=True)
class Reel:
    """A film that was looked through. `width`, `height` and all pixels are those of the upright picture."""

    path: Path
    greys: Path  # .npy of small grey pictures, not turned
    width: int
    height: int
    turns: int  # quarter turns counter-clockwise that make its pictures upright, though its metadata says nothing
    frames: int
    looks: list[Look]
    cuts: list[int]  # first frames after each
    bridged: list[str]  # what was put right or converted in reading it, a sentence each

    @classmethod
    def known(cls, path: Path, turns: int) -> "Reel":
        """A film whose pictures are read again, after all else has been decided."""
        return cls(path, Path(), 0, 0, turns, 0, [], [], [])

    def stretches(self) -> list[tuple[int, int]]:
        """First and one past the last frame between cuts."""
        edges = [0, *self.cuts, self.frames]
        return [(a, b) for a, b in zip(edges, edges[1:], strict=False) if b > a]

    def grey(self, reader: ArrayReader, frame: int) -> np.ndarray:  # [h, w] uint8
        return np.ascontiguousarray(np.rot90(reader[frame], self.turns))

    def pictures(self, start: int, stop: int) -> Iterator[np.ndarray]:  # of [H, W, 3]
        """Upright pictures of the film from frame `start` up to `stop`."""
        for k, picture in enumerate(video.read_frames(self.path, most_lines=_MOST_LINES)):
            if k >= stop:
                return
            if k >= start:
                yield np.ascontiguousarray(np.rot90(picture, self.turns)) if self.turns else picture


def look_through(path: Path, greys: Path, expected: int, landmarker: Landmarker, progress: Progress) -> Reel:
    """Decodes a film once; `expected` is about how many frames it has."""
    step = max(expected // _LOOKS, _LEAST_APART)
    changes: list[float] = []
    looks: list[Look] = []
    bridged: list[str] = []
    before, writer, due, shape = None, None, 0, (0, 0)
    try:
        for k, picture in enumerate(video.read_frames(path, most_lines=_MOST_LINES, told=bridged)):
            shape = shape if k else picture.shape[:2]
            picture = picture if picture.shape[:2] == shape else cv2.resize(picture, shape[::-1])
            grey, small = small_grey(picture), _thumbnail(picture)
            writer = writer or ArrayWriter(greys, grey.shape).__enter__()
            writer.append(grey[None])
            if before is not None:
                changes.append(float(np.abs(small - before).mean()))
                if changes[-1] > _LEAST_CHANGE and (not looks or k - looks[-1].frame >= _LEAST_APART):
                    due = k + _AFTER_CUT
            before = small
            if k >= due:
                usual = _turns(looks)
                tries = [usual, *((turns for turns in (0, 1, 3, 2) if turns != usual) if len(looks) < _TRIES else ())]
                looks.append(Look(k, _faces(picture, landmarker, tries), _jpeg(picture)))
                due = k + step
                progress.update(min(k, expected))
    finally:
        if writer is not None:
            writer.__exit__()
    cuts = [round(seconds * FPS) for seconds in _find_cuts(np.array(changes))]
    turns = _turns(looks)
    height, width = shape[::-1] if turns % 2 else shape
    upright = [Look(look.frame, [_turned(face, turns, *shape) for face in look.faces], look.jpeg) for look in looks]
    return Reel(path, greys, width, height, turns, len(changes) + 1, upright, cuts, bridged)


def _turned(points: np.ndarray, turns: int, height: int, width: int) -> np.ndarray:
    """Where points [P, 2] of a picture lie after quarter turns counter-clockwise (np.rot90)."""
    x, y = points.T
    return np.stack([(x, y), (y, width - x), (width - x, height - y), (height - y, x)][turns % 4], axis=1)


def _faces(picture: np.ndarray, landmarker: Landmarker, tries: list[int]) -> list[np.ndarray]:
    """The faces in a picture that lies as it comes, looked for after quarter turns, one after the other."""
    for turns in tries:
        lying = np.ascontiguousarray(np.rot90(picture, turns))
        found = [face.points[:, :2] for face in landmarker.detect_all(lying)]
        if found:
            return [_turned(points, -turns, *lying.shape[:2]) for points in found]
    return []


def _turns(looks: list[Look]) -> int:
    """Quarter turns that make most of the faces upright."""
    largest = [max(look.faces, key=lambda face: float(np.ptp(face, axis=0).max())) for look in looks if look.faces]
    if not largest:
        return 0
    eyes = np.array([face[263] - face[33] for face in largest])
    quarters = np.rint(np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0])) / 90).astype(int) % 4
    return int(np.bincount(quarters, minlength=4).argmax())


def _jpeg(picture: np.ndarray) -> bytes:
    scale = min(_KEPT / max(picture.shape[:2]), 1)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def _thumbnail(image: np.ndarray) -> np.ndarray:  # [24, 24] float32
    """A coarse grey version of uint8 [H, W, 3], from a sample of its pixels."""
    height, width = image.shape[:2]
    rows = np.linspace(0, height - 1, 4 * _CELLS).astype(int)
    columns = np.linspace(0, width - 1, 4 * _CELLS).astype(int)
    grey = image[rows[:, None], columns].mean(-1, dtype=np.float32)
    return grey.reshape(_CELLS, 4, _CELLS, 4).mean((1, 3))


def _find_cuts(changes: np.ndarray) -> list[float]:
    """Seconds of the cuts, from the mean change [N - 1] of the thumbnail from each picture to the next."""
    cuts = []
    for k in np.flatnonzero(changes > _LEAST_CHANGE):
        around = np.delete(changes[max(k - _NEIGHBOURS, 0) : k + _NEIGHBOURS + 1], min(k, _NEIGHBOURS))
        if not around.size or changes[k] > _TIMES_USUAL * np.median(around) and changes[k] >= around.max():
            cuts.append(float((k + 1) / FPS))
    return cuts
