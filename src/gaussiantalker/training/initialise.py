"""Gaussians before training: points of the tracked head, with the colours seen there."""

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.splatting.gaussians import Gaussians


def initial_gaussians(capture: Capture, count: int, sh_degree: int, seed: int, start: str = "mesh") -> Gaussians:
    """At most `count` Gaussians, on the capture's points drawn at random or anywhere in the box around them.

    GaussianTalker starts from the mean of the tracked meshes (`mesh`); these points cover hair and ears too. GSTalker
    starts from a random cloud (`random`), of no colour.
    """
    points, draw = capture.tracking.points, np.random.default_rng(seed)
    if start == "random":
        return Gaussians.from_points(draw.uniform(points.min(0), points.max(0), (count, 3)), sh_degree=sh_degree)
    chosen = np.sort(draw.permutation(len(points))[:count])
    return Gaussians.from_points(points[chosen], capture.tracking.colors[chosen], sh_degree=sh_degree)
