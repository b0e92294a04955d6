"""Head, neck, torso and background of every frame, steady in time.

The parser sees every sixth frame, and every third where the head moves much. Its scores, a smooth field, are
interpolated for the frames between, so that borders glide instead of flickering: against parsing every frame with
BiSeNet the head's masks agree to 0.993 (intersection over union) and change less from frame to frame.
Islands too small to be a part of the person go to the class that comes next. `silhouette` tells roughly where a person
is in a picture of any shape, so that the scene can be looked at without them.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.capture.arrays import ArrayReader, ArrayWriter
from gaussiantalker.capture.framing import FaceBox, square
from gaussiantalker.capture.labels import BACKGROUND, HEAD, NECK, TORSO
from gaussiantalker.capture.parallel import in_order
from gaussiantalker.hardware import WORKERS, one_torch_thread
from gaussiantalker.progress import Progress

STEP = 6
_ALIKE = 0.95  # overlap of the head in two parsed frames, below which the one between them is parsed too
_MIN_ISLAND = 0.004  # of the picture
_MIN_HOLE = 0.02  # of the picture; a gap in the person that opens to no side is more likely skin or cloth
_FINE = 256  # side of a picture from which islands are looked for in every second row and column
_ONE_THREAD = partial(torch.set_num_threads, 1)
_SHARES = 200  # frames from which the mean share of each class is told

_Parsed = tuple[int, Tensor]  # a frame's number and its scores [4, h, w]
_SEEN_SIDE = 512  # pixels in which the parser looks at head and shoulders
_MARGIN = 0.06  # added all around, in face heights
_BESIDE = 0.3  # added to either side of what goes on below the square


class Parser(Protocol):
    """A network that tells the parts of one picture; several threads may ask at a time."""

    corners: bool
    """Whether the outermost scores belong to the middles of the picture's corner pixels, or to whole cells."""

    def scores(self, picture: np.ndarray) -> Tensor:
        """Log scores [4, h, w] of background, head, neck and torso in uint8 [H, W, 3]."""
        ...


def segment(frames: Path, target: Path, parser: Parser, progress: Progress, joins: Sequence[int] = ()) -> dict:
    """Writes labels [N, H, W] uint8 for frames.npy, whose parts begin at `joins`. Returns the classes' mean shares."""
    pictures = ArrayReader(frames)
    progress.stage("head, neck and torso masks", len(pictures))
    # One frame per thread: threads that share a frame wait for each other at every layer, and between two frames their
    # waiting takes the time of those that work.
    with one_torch_thread() as threads:
        _write_labels(pictures, target, parser, min(threads, WORKERS), joins, progress)
    some = ArrayReader(target).sampled(_SHARES)
    shares = {name: float((some == k).mean()) for k, name in enumerate(("background", "head", "neck", "torso"))}
    return {"mean_shares": {name: round(share, 4) for name, share in shares.items()}}


def _write_labels(
    pictures: ArrayReader, target: Path, parser: Parser, workers: int, joins: Sequence[int], progress: Progress
) -> None:
    size = pictures.shape[1]
    with ArrayWriter(target, (size, size), resume=True) as writer:

        def parse(k: int) -> Tensor:
            return parser.scores(pictures[k])

        def finish(stretch: tuple[_Parsed, _Parsed]) -> np.ndarray:
            return _labels(parse, stretch, first, size, parser.corners)

        first = writer.rows
        stretches = _stretches(parse, _key_frames(len(pictures), joins), first, workers)
        for labels in in_order(finish, stretches, workers, _ONE_THREAD):
            writer.append(labels)
            progress.update(writer.rows)


def _key_frames(count: int, joins: Sequence[int] = ()) -> list[int]:
    """The frames the parser sees in any case: every sixth, the last, and those on both sides of a join."""
    return sorted({*range(0, count, STEP), count - 1, *joins, *(join - 1 for join in joins)})


def _stretches(
    parse: Callable[[int], Tensor], keys: list[int], first: int, workers: int
) -> Iterator[tuple[_Parsed, _Parsed]]:
    """The parsed frames on both sides of every stretch of a film, from the one on in which the frame `first` lies."""
    if first > keys[-1]:
        return
    keys = keys[max(int(np.searchsorted(keys, first)) - 1, 0) :]
    before = None
    for after in zip(keys, in_order(parse, keys, workers, _ONE_THREAD), strict=True):
        yield before or (after[0] - 1, after[1]), after
        before = after


@torch.inference_mode()
def _labels(
    parse: Callable[[int], Tensor], stretch: tuple[_Parsed, _Parsed], first: int, size: int, corners: bool
) -> np.ndarray:
    """Labels [n, size, size] of the frames behind the one end of a stretch up to the other, from `first` on."""
    scores = _gliding(parse, stretch)[max(first - stretch[0][0] - 1, 0) :]
    labels = np.empty((len(scores), size, size), np.uint8)
    for k, coarse in enumerate(scores):
        fine = F.interpolate(coarse[None], (size, size), mode="bilinear", align_corners=corners)
        labels[k] = _clean(fine[0].numpy())
    return labels


def _gliding(parse: Callable[[int], Tensor], stretch: tuple[_Parsed, _Parsed]) -> Tensor:
    """Scores [n, 4, h, w] from one end of a stretch, which is left out, to the other."""
    (left, before), (right, after) = ends = [*stretch]
    middle = (left + right) // 2
    if middle > left and _head_overlap(before, after) < _ALIKE:
        ends.insert(1, (middle, parse(middle)))
    return torch.cat([_between(*pair) for pair in pairwise(ends)])


def _head_overlap(a: Tensor, b: Tensor) -> float:
    """Intersection over union of the heads in scores [4, h, w]; 1 where there is none in either."""
    a, b = a.argmax(0) == HEAD, b.argmax(0) == HEAD
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def _between(before: _Parsed, after: _Parsed) -> Tensor:
    """Scores [n, 4, h, w] of the frames behind one parsed frame up to another, which is included."""
    (left, a), (right, b) = before, after
    share = torch.arange(1, right - left + 1)[:, None, None, None] / (right - left)
    return torch.lerp(a[None], b[None], share)


def _clean(scores: np.ndarray) -> np.ndarray:  # [H, W] uint8
    """Labels from scores [4, H, W], where islands, and all heads but the largest, take the next best class."""
    labels = _best(scores)
    step = 2 if len(labels) >= _FINE else 1
    for part in (HEAD, NECK, TORSO, BACKGROUND):
        islands = np.empty(labels[::step, ::step].shape, np.int32)
        ndimage.label(labels[::step, ::step] == part, output=islands)
        count = int(islands.max())
        if count < 2:
            continue
        areas = np.bincount(islands.ravel(), minlength=count + 1)[1:] / islands.size
        small = areas < (areas.max() if part == HEAD else _MIN_ISLAND)
        if part == BACKGROUND:
            open_to_sides = np.unique(np.concatenate([islands[0], islands[:, 0], islands[:, -1]]))
            enclosed = ~np.isin(np.arange(1, count + 1), open_to_sides)
            small |= enclosed & (areas < _MIN_HOLE)
        windows = ndimage.find_objects(islands)
        for k in np.flatnonzero(small):
            window = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in windows[k])
            fine = tuple(slice(side.start * step, side.stop * step) for side in window)
            _give_away(labels[fine], scores[:, *fine], part, islands[window] == k + 1, step)
    return labels


def _best(scores: np.ndarray) -> np.ndarray:  # [H, W] uint8
    """The class of the highest score; like argmax, in a third of the time."""
    labels, best = np.zeros(scores.shape[1:], np.uint8), scores[0]
    for k in range(1, len(scores)):
        better = scores[k] > best
        labels[better] = k
        best = np.maximum(best, scores[k])
    return labels


def _give_away(labels: np.ndarray, scores: np.ndarray, part: int, island: np.ndarray, step: int) -> None:
    """The next best class for an island of a part, shown by every `step`-th row and column, and its pixels between."""
    if step > 1:
        island = np.repeat(np.repeat(ndimage.binary_dilation(island), step, 0), step, 1)
    where = island[: labels.shape[0], : labels.shape[1]] & (labels == part)
    others = scores[:, where]
    others[[part, HEAD]] = -np.inf
    labels[where] = others.argmax(0)


def silhouette(picture: np.ndarray, points: np.ndarray, parser: Parser) -> np.ndarray:  # [H, W] bool
    """The person with face landmarks [478, 2] in uint8 [H, W, 3], with a margin.

    The parser sees head and shoulders; what leaves them downwards and sideways is taken to go on to the edge.
    """
    height, width = picture.shape[:2]
    face = FaceBox(0, points)
    crop = square([face], width, height)
    part = np.ascontiguousarray(cv2.resize(crop.of(picture), (_SEEN_SIDE, _SEEN_SIDE), interpolation=cv2.INTER_AREA))
    with torch.inference_mode(), one_torch_thread():
        scores = parser.scores(part)[None].float()
        fine = F.interpolate(scores, (_SEEN_SIDE, _SEEN_SIDE), mode="bilinear", align_corners=parser.corners or None)[0]
    inner = (_clean(fine.numpy()) != BACKGROUND).astype(np.uint8)
    out = np.zeros((height, width), np.uint8)
    bottom, right = crop.top + crop.side, crop.left + crop.side
    out[crop.top : bottom, crop.left : right] = cv2.resize(inner, (crop.side,) * 2, interpolation=cv2.INTER_NEAREST)
    for edge, beyond in ((crop.left, slice(0, crop.left)), (right - 1, slice(right, width))):
        rows = np.flatnonzero(out[:, edge])
        if rows.size:
            out[rows[0] :, beyond] = 1
    columns = np.flatnonzero(out[bottom - 1])
    if columns.size:
        beside = round(_BESIDE * face.height)
        out[bottom:, max(columns[0] - beside, 0) : columns[-1] + beside] = 1
    margin = 2 * max(round(_MARGIN * face.height), 1) + 1
    return cv2.dilate(out, np.ones((margin, margin), np.uint8)) > 0
