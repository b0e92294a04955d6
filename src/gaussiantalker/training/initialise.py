"""Gaussians before training: points of the tracked head, with the colours seen there."""

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.splatting.gaussians import Gaussians


def initial_gaussians(capture: Capture, count: int, sh_degree: int, seed: int) -> Gaussians:
    """At most `count` Gaussians on the capture's points, drawn at random.

    GaussianTalker starts from the mean of the tracked meshes; these points cover hair and ears too.
    """
    tracking = capture.tracking
    every = np.random.default_rng(seed).permutation(len(tracking.points))
    chosen = np.sort(every[:count])
    return Gaussians.from_points(tracking.points[chosen], tracking.colors[chosen], sh_degree=sh_degree)
