"""The face in every picture, written row by row, so that a run that was killed goes on where it was."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gaussiantalker.capture.arrays import ArrayReader, ArrayWriter
from gaussiantalker.capture.landmarker import POINTS, Face, Landmarker
from gaussiantalker.capture.parallel import in_order
from gaussiantalker.media.image import resize
from gaussiantalker.progress import Progress
from gaussiantalker.timing import FPS

_PART = "faces.part.npy"
_SCORES = 52
_ROW = 2 * POINTS + _SCORES
_LONGEST_BRIDGE = FPS  # frames without a face that can still be told from those around them
_PORTION = 2000


def find_faces(
    folder: Path, squares: Callable[[int], Iterator[np.ndarray]], side: int, size: int, progress: Progress
) -> np.ndarray:  # [N] bool
    """Writes frames.npy, landmarks.npy and faces.npz of square pictures of `side` pixels. Where was a face found?

    `squares(k)` gives the pictures from frame k on; the rows that a killed run has written are kept.
    """
    landmarker = Landmarker(track=True, progress=progress)
    with (
        ArrayWriter(folder / "frames.npy", (size, size, 3), resume=True) as frames,
        ArrayWriter(folder / _PART, (_ROW,), np.float32, resume=True) as faces,
    ):
        have = min(frames.rows, faces.rows)
        frames.keep(have)
        faces.keep(have)
        _follow_on(landmarker, faces)

        def seen(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return square, _row(landmarker.detect(square))

        def shrunk(looked: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            return resize(looked[0], (size, size)), looked[1]

        # One thread looks for the face and one makes pictures smaller, while this one reads the film and writes.
        for picture, row in in_order(shrunk, in_order(seen, squares(have), workers=1), workers=1):
            frames.append(picture[None])
            faces.append(row[None])
            progress.update(faces.rows)
    return _write(folder, size / side)


def gaps(found: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last frame of each stretch without a face that is too long to be bridged."""
    edges = np.flatnonzero(np.diff(np.r_[True, found, True].astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a > _LONGEST_BRIDGE]


def _row(face: Face | None) -> np.ndarray:  # [2 POINTS + 52] float32, not-a-number without a face
    if face is None:
        return np.full(_ROW, np.nan, np.float32)
    return np.concatenate([face.points[:, :2].ravel(), face.blendshapes])


def _follow_on(landmarker: Landmarker, faces: ArrayWriter) -> None:
    """Tracks on from the last face that was written, as if there had been no break."""
    for k in range(faces.rows - 1, -1, -1):
        row = faces.row(k)
        if not np.isnan(row[0]):
            landmarker.follow(row[: 2 * POINTS].reshape(POINTS, 2), lost=k < faces.rows - 1)
            return


def _write(folder: Path, scale: float) -> np.ndarray:
    """landmarks.npy and faces.npz from the rows, in pixels of the capture."""
    scores = []
    with ArrayWriter(folder / "landmarks.npy", (POINTS, 2), np.float32) as points:
        for _, rows in ArrayReader(folder / _PART).chunks(_PORTION):
            points.append(rows[:, : 2 * POINTS].reshape(-1, POINTS, 2) * np.float32(scale))
            scores.append(rows[:, 2 * POINTS :])
    scores = np.concatenate(scores) if scores else np.zeros((0, _SCORES), np.float32)
    found = ~np.isnan(scores[:, 0])
    np.savez(folder / "faces.npz", scores=scores, found=found)
    return found
