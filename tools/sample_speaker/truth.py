"""Exact truth of the sample clip, computed from the animation without rendering."""

from __future__ import annotations

import numpy as np

import viewpoint
from animation import FRAME_RATE
from head import Head, lip_opening_mm


def clip_truth(head: Head, tracks: dict[str, np.ndarray], frames: int, size: int) -> dict[str, np.ndarray]:
    """Arrays for the first `frames` frames; OpenCV camera axes, metres, radians.

    K [3, 3] (pixels), world2cam [4, 4], head2world [N, 4, 4], lip_mm [N] (inner-lip opening),
    blink, closure and jaw_open [N] in 0..1, gaze [N, 2] (yaw, pitch in the head frame),
    phone [N] (Festival names), viseme [N] (0..14, 0 is silence), frame_rate.
    """
    names = [str(name) for name in tracks["names"]]
    head_to_world, lips = [], []
    for frame in range(frames):
        units = dict(zip(names, tracks["weights"][frame].tolist(), strict=True))
        vertices, matrix = head.pose(head.express(units), tracks["rotation"][frame])
        head_to_world.append(matrix)
        lips.append(lip_opening_mm(vertices))
    jaw = tracks["weights"][:frames, names.index("jawOpen")]
    return {
        "K": viewpoint.intrinsics(size),
        "world2cam": viewpoint.world_to_camera(),
        "head2world": np.array(head_to_world, np.float32),
        "lip_mm": np.array(lips, np.float32),
        "blink": tracks["blink"][:frames].astype(np.float32),
        "closure": tracks["closure"][:frames].astype(np.float32),
        "jaw_open": jaw.astype(np.float32),
        "gaze": tracks["gaze"][:frames].astype(np.float32),
        "phone": tracks["phone"][:frames].astype("U4"),
        "viseme": tracks["viseme"][:frames].astype(np.uint8),
        "frame_rate": np.array(FRAME_RATE),
    }
