"""Steadiness of a row of pictures: flicker from frame to frame, and the seam between head and neck."""

import numpy as np
from scipy.ndimage import binary_dilation
from skimage.registration import optical_flow_ilk
from skimage.transform import warp

from gaussiantalker.capture.labels import HEAD, NECK, TORSO

_SEAM_WIDTH = 3 / 256  # of the picture's side, to either side of the seam


def flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:  # [2, H, W], rows then columns
    """Where each pixel of `after` was in `before`, from iterated Lucas-Kanade on their luma."""
    return optical_flow_ilk(luma(after), luma(before), radius=7, num_warp=3, dtype=np.float32)


def flicker(before: np.ndarray, after: np.ndarray, motion: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute difference, in grey levels of 255, between a picture and its forerunner carried along by `motion`.

    The motion is the true video's, so what remains is change that is not movement. NaN for an empty mask bool [H, W].
    """
    rows, columns = np.meshgrid(*(np.arange(n) for n in mask.shape), indexing="ij")
    carried = warp(luma(before), np.array([rows + motion[0], columns + motion[1]]), mode="edge")
    change = np.abs(carried - luma(after))[mask]
    return float(change.mean() * 255) if change.size else float("nan")


def seam(picture: np.ndarray, labels: np.ndarray) -> float:
    """Mean luma gradient, in grey levels per pixel, in the band where head and neck (or torso) meet.

    An avatar's own value over the true picture's tells whether the seam shows: 1 is as smooth as the truth.
    """
    width = max(1, round(_SEAM_WIDTH * labels.shape[0]))
    head, below = labels == HEAD, (labels == NECK) | (labels == TORSO)
    band = np.logical_and(*(binary_dilation(part, iterations=width) for part in (head, below)))
    gradient = np.hypot(*np.gradient(luma(picture) * 255))[band]
    return float(gradient.mean()) if gradient.size else float("nan")


def luma(picture: np.ndarray) -> np.ndarray:  # float32 [H, W] in [0, 1]
    """Rec. 709 luma of a uint8 picture [H, W, 3]."""
    return (picture.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)) / 255
