"""What lies behind the head: the clean background, and per frame the torso with the neck drawn on under the chin.

After AD-NeRF's preprocessing (Guo et al. 2021), with robust medians instead of the single farthest frame, and a
smooth fill instead of copied columns, so that what shows when the chin is raised neither streaks nor flickers.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from gaussiantalker.capture.arrays import ArrayReader, ArrayWriter
from gaussiantalker.capture.fill import pull_push, rows_down_to
from gaussiantalker.capture.labels import BACKGROUND, HEAD
from gaussiantalker.capture.parallel import in_order
from gaussiantalker.media.image import resize, write_image
from gaussiantalker.progress import Progress

_SAMPLES = 120
_ROWS = 32
# A picture has another background where this share of what most pictures show is off by so many grey levels.
_MOST_OTHER, _OTHER = 0.25, 24
_LEAST_COMMON = 0.02  # of the picture, below which nothing can be compared
_GRID = 256  # cells along a side on which smooth things are computed
# Lengths as shares of the picture's side; at 512 pixels they are 5, 4, 14, 4 and 52 pixels.
_CLEAR_OF_PERSON = 0.010
_HALO_INNER, _HALO_OUTER = 0.008, 0.028
_MIXED = 0.008
_REACH = 0.10
_AROUND = 0.08  # of the side, beyond which the head changes nothing
_DARKENING = 0.98  # of the extended neck, per 1/512 of the side, as in AD-NeRF


def make_plates(folder: Path, progress: Progress) -> dict:
    """Writes background.png and plates.npy for frames.npy and labels.npy."""
    frames, labels = ArrayReader(folder / "frames.npy"), ArrayReader(folder / "labels.npy")
    count, size = frames.shape[:2]
    progress.stage("background and torso", count)
    background, seen = _clean_background(frames.sampled(_SAMPLES), labels.sampled(_SAMPLES))
    write_image(folder / "background.png", background)
    behind = background.astype(np.float32)
    with ArrayWriter(folder / "plates.npy", (size, size, 3), resume=True) as writer:
        rest = range(writer.rows, count)
        for result in in_order(lambda k: _plate(frames[k], labels[k], behind), rest):
            writer.append(result[None])
            progress.update(writer.rows)
    return {"background_seen": round(float(seen.mean()), 4)}


def _clean_background(pictures: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Background [H, W, 3] uint8 of pictures [K, H, W, 3] with labels [K, H, W], and where it was ever seen [H, W].

    Pictures that show another background than most, as where a film fades in from black, count for nothing.
    """
    width = 2 * max(round(_CLEAR_OF_PERSON * labels.shape[1]), 2) + 1
    person = ndimage.maximum_filter1d((labels != BACKGROUND).view(np.uint8), width, axis=1, mode="constant")
    clear = ndimage.maximum_filter1d(person, width, axis=2, mode="constant") == 0
    out, count = _usual(pictures, clear)
    alike = _alike(pictures, clear, out, count)
    if not alike.all():
        out, count = _usual(pictures[alike], clear[alike])
    seen = count > 0
    filled = pull_push(out * seen[..., None], seen.astype(np.float32))
    return np.clip(filled + 0.5, 0, 255).astype(np.uint8), seen


def _usual(pictures: np.ndarray, clear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians [H, W, 3] of pictures [K, H, W, 3] where they are `clear` [K, H, W], and of how many [H, W]."""
    out = np.zeros(pictures.shape[1:], np.float32)
    count = clear.sum(0)
    for top in range(0, len(out), _ROWS):
        rows = slice(top, top + _ROWS)
        # What does not count sorts last, so the median of the rest lies at half their number.
        values = np.where(clear[:, rows, :, None], pictures[:, rows].astype(np.int16), 256)
        values = np.sort(np.ascontiguousarray(np.moveaxis(values, 0, -1)))
        middle = (np.maximum(count[rows] - 1, 0) // 2)[:, :, None, None]
        out[rows] = np.take_along_axis(values, middle, axis=-1)[..., 0]
    return out, count


def _alike(pictures: np.ndarray, clear: np.ndarray, usual: np.ndarray, count: np.ndarray) -> np.ndarray:  # [K] bool
    """Which pictures agree with the usual background wherever most of them show it."""
    common = count > len(pictures) / 2
    if common.mean() < _LEAST_COMMON:
        return np.ones(len(pictures), bool)
    other = np.empty(len(pictures))
    for k, (picture, free) in enumerate(zip(pictures, clear & common, strict=True)):
        away = np.abs(picture[free] - usual[free]).max(-1) > _OTHER
        other[k] = away.mean() if away.size else 0.0
    return other <= max(_MOST_OTHER, 2 * float(np.median(other)))


def _plate(picture: np.ndarray, labels: np.ndarray, background: np.ndarray) -> np.ndarray:  # [H, W, 3] uint8
    """One frame without its head: background [H, W, 3] float32, and the body extended upwards where the head was."""
    size = len(labels)
    rows, columns = (np.flatnonzero((labels == HEAD).any(axis)) for axis in (1, 0))
    if not rows.size:
        return picture
    margin = round(_AROUND * size)
    window = tuple(slice(max(k[0] - margin, 0), k[-1] + margin + 1) for k in (rows, columns))
    out = picture.copy()
    out[window] = _near_head(picture[window], labels[window], background[window], size)
    return out


def _near_head(picture: np.ndarray, labels: np.ndarray, background: np.ndarray, size: int) -> np.ndarray:
    """The same for the part of a frame of `size` pixels that the head can change."""
    # What is smooth is found on a coarser grid: the head's border comes from a coarser one still.
    step = max(round(size / _GRID), 1)
    small = labels[step // 2 :: step, step // 2 :: step]
    apart = np.asarray(ndimage.distance_transform_edt(small != HEAD), np.float32) * (step / size)
    shape = labels.shape[::-1]
    distance = _resized(apart, shape)
    # Beside the head the frame's own background returns gradually: stray hair must not stay behind as a ghost.
    own = np.clip((distance - _HALO_INNER) / (_HALO_OUTER - _HALO_INNER), 0, 1)
    own = np.where(labels > HEAD, distance > _MIXED, own)[..., None]
    image = background + own * (picture - background)
    covered = apart <= _MIXED
    extended = _extended(resize(picture, small.shape[::-1]), (small > HEAD) & ~covered, covered, size / step)
    if extended is not None:
        rows, colours, alpha = extended
        part = slice(rows.start * step, min(rows.stop * step, len(labels)))
        shape = (shape[0], part.stop - part.start)
        colours = np.stack([_resized(channel, shape) for channel in np.moveaxis(colours, -1, 0)], axis=-1)
        alpha = np.where(distance[part] <= _MIXED, _resized(alpha, shape), 0)[..., None]
        image[part] += alpha * (colours - image[part])
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def _extended(
    picture: np.ndarray, trusted: np.ndarray, covered: np.ndarray, size: float
) -> tuple[slice, np.ndarray, np.ndarray] | None:
    """Rows over which the body is drawn on, its colours [h, w, 3] there and their opacity [h, w]; None without a body.

    `size` is the side of the whole frame in pixels of this grid. Opacity counts only where the head covers.
    """
    rows_below = rows_down_to(trusted, covered)
    reach = _REACH * size
    here = np.flatnonzero((rows_below <= reach).any(1))
    if not here.size:
        return None
    around = round(0.04 * size)
    rows = slice(max(here[0] - around, 0), here[-1] + around)
    picture, trusted, covered, rows_below = picture[rows], trusted[rows], covered[rows], rows_below[rows]
    extended = rows_below <= reach
    colours = pull_push(picture * trusted[..., None].astype(np.float32), trusted.astype(np.float32))
    # Neighbouring columns start at different rows; without this their shades would differ in stripes.
    depth = np.where(extended, rows_below, 0)
    near = ndimage.gaussian_filter(extended.astype(np.float32), 0.01 * size)
    depth = ndimage.gaussian_filter(depth, 0.01 * size) / np.maximum(near, 1e-3)
    shade = _DARKENING ** (np.minimum(depth, reach) * 512 / size)
    strength = np.clip((reach - rows_below) / (0.3 * reach), 0, 1) * extended
    soft = ndimage.gaussian_filter(strength.astype(np.float32), 0.004 * size)
    # Softened only into what the head covers; the body itself goes on into it without a seam.
    alpha = np.where(covered, np.maximum(soft, strength * (rows_below <= 0.2 * reach)), trusted)
    rows = slice(rows.start, rows.start + len(alpha))
    return rows, (colours * shade[..., None]).astype(np.float32), alpha.astype(np.float32)


def _resized(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """float32 [h, w] at (width, height), bilinear."""
    if values.shape[::-1] == shape:
        return values
    return np.asarray(Image.fromarray(values).resize(shape, Image.Resampling.BILINEAR))
