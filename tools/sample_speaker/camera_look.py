"""Make a clean render look like a webcam picture: slight softness, vignette, sensor noise.

Strengths are mild on purpose: mouth and eyes must stay sharp.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

BLUR_PX = 0.42
VIGNETTE = 0.16
PIXEL_GAIN_SPREAD = 0.004
NOISE = 0.0025
GAMMA = 2.2


class CameraLook:
    """One imaginary camera: the pixel gains stay the same from frame to frame."""

    def __init__(self, height: int, width: int, seed: int = 1) -> None:
        self._rng = np.random.default_rng(seed)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        radius2 = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (height * height / 2)
        gains = 1 + self._rng.normal(0, PIXEL_GAIN_SPREAD, (height, width)).astype(np.float32)
        self._gain = ((1 - VIGNETTE * radius2) * gains)[..., None]

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """uint8 [H, W, 3] in, uint8 out; works in approximately linear light."""
        light = (picture.astype(np.float32) / 255) ** GAMMA
        light = gaussian_filter(light, (BLUR_PX, BLUR_PX, 0), truncate=3) * self._gain
        grain = self._rng.standard_normal(light.shape, dtype=np.float32)
        # shot noise grows with the root of the light, read noise does not
        sigma = np.sqrt(2 * NOISE**2 * np.clip(light, 0, 1) + (0.25 * NOISE) ** 2)
        light = light + grain * sigma
        return (np.clip(light, 0, 1) ** (1 / GAMMA) * 255 + 0.5).astype(np.uint8)
