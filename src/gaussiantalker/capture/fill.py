"""Filling holes in a picture from what is known around them: smoothly, or from below."""

import numpy as np


def pull_push(image: np.ndarray, weight: np.ndarray) -> np.ndarray:  # [H, W, C]
    """Completes float32 [H, W, C], known as far as `weight` [H, W] in [0, 1] says (Gortler et al. 1996, section 3.4).

    Averages of known pixels are pulled up a pyramid and pushed back down into the gaps, so that a gap takes the
    colours of its surroundings, blurred the more the wider it is. Without known pixels it is black.
    """
    if weight.size == 1 or weight.all():
        return image * (weight[..., None] > 0)
    height, width = weight.shape
    pad = ((0, height % 2), (0, width % 2))
    wide = np.pad(weight, pad).astype(np.float32)
    weighted = np.pad(image * weight[..., None], (*pad, (0, 0))).astype(np.float32)
    total = _quarters(wide[..., None])
    coarse = _quarters(weighted) / np.maximum(total, 1e-6)
    guess = _double(pull_push(coarse, np.minimum(total[..., 0], 1)))[:height, :width]
    return image * weight[..., None] + guess * (1 - weight[..., None])


def _quarters(x: np.ndarray) -> np.ndarray:
    """Sums of blocks of 2x2."""
    return x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]


def _double(x: np.ndarray) -> np.ndarray:
    """Twice the size, bilinear."""
    for axis in (0, 1):
        before = np.concatenate([x.take([0], axis), x.take(range(x.shape[axis] - 1), axis)], axis)
        after = np.concatenate([x.take(range(1, x.shape[axis]), axis), x.take([-1], axis)], axis)
        pair = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=axis + 1)
        shape = list(x.shape)
        shape[axis] *= 2
        x = pair.reshape(shape)
    return x


def rows_down_to(target: np.ndarray, through: np.ndarray) -> np.ndarray:  # [H, W] float32
    """Rows from a `through` pixel down to its column's next `target`, passing only such pixels; infinite elsewhere."""
    height = len(target)
    row = np.arange(height, dtype=np.int32)[:, None]

    def next_row(where: np.ndarray) -> np.ndarray:
        return np.minimum.accumulate(np.where(where, row, height)[::-1], axis=0)[::-1]

    reached = next_row(target)
    free = through & (reached < height) & (next_row(~(target | through)) > reached)
    return np.where(free, reached - row, np.inf).astype(np.float32)
