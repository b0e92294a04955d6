"""The camera of the sample clip: still, level, in front of the face. Units are metres."""

from __future__ import annotations

import numpy as np

POSITION = np.array([0.0, 0.655, 0.85])
"""World position; the camera looks along -z with +y up."""

FOCAL_MM = 80.0
SENSOR_MM = 36.0

MOVING_REGION = (96 / 512, 40 / 512, 416 / 512, 480 / 512)
"""Left, top, right, bottom (fractions of the picture): all that moves stays inside. Frames
are rendered for this region only and laid over one still picture of torso and room."""


def intrinsics(size: int) -> np.ndarray:
    """K [3, 3] in pixels for a square picture; pixel centres lie at half integers."""
    focal = FOCAL_MM / SENSOR_MM * size
    return np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])


def world_to_camera() -> np.ndarray:
    """[4, 4] into OpenCV axes: +x right, +y down, +z forward."""
    matrix = np.eye(4)
    matrix[:3, 3] = -POSITION
    return np.diag([1.0, -1.0, -1.0, 1.0]) @ matrix


def moving_pixels(size: int) -> tuple[int, int, int, int]:
    """`MOVING_REGION` in whole pixels."""
    return tuple(round(edge * size) for edge in MOVING_REGION)
