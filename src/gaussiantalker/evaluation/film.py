"""The held-out frames as videos: truth, render, and both beside how far they are apart."""

from pathlib import Path

import numpy as np

from gaussiantalker.evaluation.held_out import Rendering
from gaussiantalker.media.video import write_video

_GAIN = 4  # a difference of a quarter of the range is white
COMPARISON, TRUTH, RENDER = "comparison.mp4", "truth.mp4", "render.mp4"


def _error_picture(truth: np.ndarray, render: np.ndarray) -> np.ndarray:
    """How far two uint8 pictures [H, W, 3] are apart: black, red, yellow, white, the last at a quarter of the range."""
    error = np.abs(truth.astype(np.int16) - render).mean(axis=-1, keepdims=True) * (3 * _GAIN)
    return np.clip(error - np.array([0, 255, 510]), 0, 255).astype(np.uint8)


def panels(truth: np.ndarray, render: np.ndarray) -> np.ndarray:
    """Truth, render and error side by side, uint8 [H, 3 W, 3]."""
    return np.concatenate([truth, render, _error_picture(truth, render)], axis=1)


def write_films(folder: Path, rendering: Rendering) -> None:
    """Writes the three videos with their sound; tools from outside, such as OpenFace, take truth and render."""
    pairs = zip(rendering.reference.images, rendering.images, strict=True)
    write_video(folder / COMPARISON, (panels(*pair) for pair in pairs), rendering.reference.audio)
    for name, pictures in ((TRUTH, rendering.reference.images), (RENDER, rendering.images)):
        write_video(folder / name, iter(pictures), rendering.reference.audio)
