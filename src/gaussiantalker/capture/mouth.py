"""Colours of what is seen only while the mouth is open: teeth, tongue and the walls behind them."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial import KDTree

from gaussiantalker.capture.arrays import ArrayReader
from gaussiantalker.capture.face_mesh import INNER_LIP_RING
from gaussiantalker.capture.morphable import MOUTH, TEETH, TONGUE
from gaussiantalker.geometry import Camera, project, rigid
from gaussiantalker.media.files import read_arrays

_VIEWS = 40
_USUAL = {MOUTH: (0.24, 0.10, 0.09), TEETH: (0.72, 0.66, 0.60), TONGUE: (0.52, 0.29, 0.27)}
_CELL = 0.04  # of the picture of the mouth, in inter-ocular distances: what lies behind another in a cell is hidden
_BEHIND = 0.06  # head units


def mouth_colours(folder: Path, points: np.ndarray, regions: np.ndarray, camera: Camera) -> np.ndarray:  # [P, 3]
    """Median colour in [0, 1] of points inside the mouth [P, 3] over the frames that open it most.

    Points that no frame shows take the colour of the nearest one of their region, or the usual one.
    """
    tracking = read_arrays(folder / "tracking.npz", "found", "lip_opening", "landmarks", "rotations", "translations")
    opening = np.where(tracking["found"], tracking["lip_opening"], -1.0)
    chosen = np.sort(np.argsort(opening)[-_VIEWS:])
    rings = tracking["landmarks"][chosen][:, INNER_LIP_RING]
    poses = rigid(tracking["rotations"][chosen], tracking["translations"][chosen])
    head = read_arrays(folder / "head.npz", "head_vertices", "head_units", "expression", "usual_expression")
    _, nearest = KDTree(head["head_vertices"]).query(points)
    units = head["head_units"][:, nearest].astype(np.float32)
    moved = head["expression"][chosen] - head["usual_expression"]
    frames = ArrayReader(folder / "frames.npy")
    cell = max(_CELL * camera.focal / float(np.median(poses[:, 2, 3])), 1.0)
    seen = np.full((len(chosen), len(points), 3), np.nan, np.float32)
    for k, index in enumerate(chosen):
        there = points + np.tensordot(moved[k], units, 1)
        pixels = project(there, poses[k], camera.K)
        depth = there @ poses[k, 2, :3] + poses[k, 2, 3]
        shown = np.flatnonzero(_within(pixels, rings[k], camera) & _in_front(pixels, depth, cell))
        x, y = np.floor(pixels[shown]).astype(int).T
        seen[k, shown] = frames[int(index)][y, x] / 255
    return _filled(seen, points, regions)


def _within(pixels: np.ndarray, ring: np.ndarray, camera: Camera) -> np.ndarray:  # [P] bool
    """Which pixels [P, 2] lie between the lips [R, 2]."""
    mask = Image.new("1", (camera.width, camera.height))
    ImageDraw.Draw(mask).polygon([tuple(corner) for corner in ring.tolist()], fill=1)
    x, y = np.clip(np.floor(pixels), 0, (camera.width - 1, camera.height - 1)).astype(int).T
    return np.asarray(mask)[y, x]


def _in_front(pixels: np.ndarray, depth: np.ndarray, cell: float) -> np.ndarray:  # [P] bool
    """Which points are hardly further away than the nearest one of their cell."""
    _, cells = np.unique(np.floor(pixels / cell).astype(int), axis=0, return_inverse=True)
    nearest = np.full(cells.max() + 1, np.inf)
    np.minimum.at(nearest, cells.ravel(), depth)
    return depth < nearest[cells.ravel()] + _BEHIND


def _filled(seen: np.ndarray, points: np.ndarray, regions: np.ndarray) -> np.ndarray:
    known = ~np.isnan(seen[..., 0]).all(0)
    colours = np.zeros(points.shape)
    colours[known] = np.nanmedian(seen[:, known], axis=0)
    for region, usual in _USUAL.items():
        here = regions == region
        lacking = here & ~known
        if (here & known).any():
            _, nearest = KDTree(points[here & known]).query(points[lacking])
            colours[lacking] = colours[here & known][nearest]
        else:
            colours[lacking] = usual
    return colours
