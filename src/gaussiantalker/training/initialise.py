"""Gaussians before training: points of the tracked head, with the colours seen there."""

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.capture.morphable import NECK
from gaussiantalker.splatting.gaussians import Gaussians


def initial_gaussians(capture: Capture, count: int, sh_degree: int, seed: int, start: str = "mesh") -> Gaussians:
    """At most `count` Gaussians, on the capture's points drawn at random or anywhere in the box around them.

    GaussianTalker starts from the mean of the tracked meshes (`mesh`); these points cover hair, ears and the inside of
    the mouth too. The neck is left to the plates, which show it. GSTalker starts from a random cloud (`random`), of no
    colour.
    """
    shown, draw = capture.tracking.regions != NECK, np.random.default_rng(seed)
    points, colors = capture.tracking.points[shown], capture.tracking.colors[shown]
    if start == "random":
        return Gaussians.from_points(draw.uniform(points.min(0), points.max(0), (count, 3)), sh_degree=sh_degree)
    chosen = np.sort(draw.permutation(len(points))[:count])
    return Gaussians.from_points(points[chosen], colors[chosen], sh_degree=sh_degree)
