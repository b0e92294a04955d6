"""A dense cloud over the whole head and the inside of its mouth, to start Gaussians from.

Skin, ears, neck, eyes, teeth and tongue are the fitted morphable head at its usual expression. Hair is a smooth closed
surface seen from the middle of the head: it meets the face, follows the silhouettes that the masks of all frames leave
(a visual hull; Laurentini 1994), and lies a little above the fitted skull where nothing is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage, sparse
from scipy.interpolate import LinearNDInterpolator
from scipy.sparse.linalg import spsolve
from scipy.spatial import KDTree

from gaussiantalker.capture import labels as label
from gaussiantalker.capture.arrays import ArrayReader, spread
from gaussiantalker.capture.face_mesh import INNER_LIP_RING
from gaussiantalker.capture.morphable import EYE, HAIR, INSIDE_MOUTH, MOUTH, NECK, REGIONS, SKIN, TEETH, TONGUE
from gaussiantalker.geometry import Camera, on_mesh, on_sphere, project, rigid
from gaussiantalker.media.files import read_arrays
from gaussiantalker.progress import Progress

_COUNTS = {SKIN: 14_000, NECK: 3_000, EYE: 1_200, MOUTH: 1_200, TEETH: 1_200, TONGUE: 800}
_SHELL_POINTS = 22_000
_CENTRE = np.array([0.0, 0.1, 0.75])  # middle of an average skull, head units
_RADII = np.linspace(0.3, 2.4, 71)
_DIRECTIONS = 3000
_VIEWS = 40
_ALLOWED_OUTSIDE = 0.05
_LEAST_NECK = 0.8  # share of the views that must show neck or head where the fitted neck is
_BACK = 0.45  # directions further back than this are never seen
_HAIR_DEPTH = 0.1
_ON_SKIN, _ABOVE_SKIN = 0.05, 0.2  # how near to the skin a shell says nothing new, and how far from it it must be hair
_LOOKS_FORWARD = -0.2
_OPEN_VIEWS = 40  # that open the mouth most
_USUAL = {MOUTH: (0.24, 0.10, 0.09), TEETH: (0.72, 0.66, 0.60), TONGUE: (0.52, 0.29, 0.27)}
_CELL = 0.04  # of the picture of the mouth, in inter-ocular distances: what lies behind another in a cell is hidden
_BEHIND = 0.06  # head units


def make_points(folder: Path, camera: dict[str, Any], progress: Progress) -> dict:
    """Writes points.npz from tracking.npz, head.npz, labels.npy and frames.npy. Returns how many points lie where."""
    progress.stage("head surface", 4)
    tracking = read_arrays(folder / "tracking.npz", "vertices", "found", "rotations", "translations")
    file = read_arrays(folder / "head.npz", "head_vertices", "head_triangles", "head_regions")
    head = _Surface(file["head_vertices"].astype(np.float64), file["head_triangles"], file["head_regions"])
    found = np.flatnonzero(tracking["found"])
    chosen = found[spread(len(found), _VIEWS)]
    poses = rigid(tracking["rotations"][chosen], tracking["translations"][chosen])
    labels, frames = ArrayReader(folder / "labels.npy"), ArrayReader(folder / "frames.npy")
    masks = np.stack([labels[int(k)] for k in chosen])
    view = _Views(Camera(**camera), poses, masks == label.HEAD)
    below = _Views(Camera(**camera), poses, (masks == label.NECK) | (masks == label.HEAD))
    progress.update(1)
    parts = [_on_head(head, view, below), _hair(head, tracking["vertices"].astype(np.float64), view)]
    points, normals, regions = (np.concatenate(part) for part in zip(*parts, strict=True))
    progress.update(2)
    pictures = np.stack([frames[int(k)] for k in chosen])
    colors, neck, inside = np.zeros(points.shape), regions == NECK, np.isin(regions, INSIDE_MOUTH)
    outer = ~neck & ~inside
    colors[outer] = view.colours(points[outer], normals[outer], pictures)
    if neck.any():
        colors[neck] = below.colours(points[neck], normals[neck], pictures)
    progress.update(3)
    if inside.any():
        colors[inside] = _mouth_colours(folder, points[inside], regions[inside], Camera(**camera))
    arrays = {"points": points.astype(np.float32), "colors": colors.astype(np.float32), "regions": regions}
    np.savez(folder / "points.npz", **arrays)
    progress.update(4)
    counts = np.bincount(regions, minlength=len(REGIONS))
    return {"points": len(points), "regions": dict(zip(REGIONS, counts.tolist(), strict=True))}


@dataclass(frozen=True)
class _Surface:
    """The fitted head."""

    vertices: np.ndarray  # [V, 3]
    triangles: np.ndarray  # [F, 3]
    regions: np.ndarray  # [V]

    def part(self, region: int) -> np.ndarray:
        """Triangles [f, 3] that lie in one region, or at its border with another of a higher number."""
        return self.triangles[self.regions[self.triangles].max(1) == region]


def _on_head(head: _Surface, view: "_Views", below: "_Views") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, outward normals [P, 3] and regions [P] on what can be seen of the fitted head."""
    parts = []
    for region, count in _COUNTS.items():
        triangles = head.part(region)
        if not len(triangles):
            continue
        points, normals = on_mesh(head.vertices, triangles, count)
        if region == SKIN:
            keep = view.outside(points) <= _ALLOWED_OUTSIDE
        elif region == NECK:
            keep = below.outside(points) <= 1 - _LEAST_NECK
        elif region == EYE:
            keep = normals[:, 2] < _LOOKS_FORWARD
        else:
            keep = np.ones(len(points), bool)
        parts.append((points[keep], normals[keep], np.full(keep.sum(), region, np.int8)))
    points, normals, regions = (np.concatenate(part) for part in zip(*parts, strict=True))
    return points, normals, regions


def _hair(head: _Surface, face: np.ndarray, view: "_Views") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for the shell around head and face, as far as it is not the fitted skin already."""
    skull = head.vertices[np.isin(head.regions, (SKIN, HAIR))]
    points, normals = _shell(face, skull, view)
    skin, _ = on_mesh(head.vertices, head.part(SKIN), 2 * _COUNTS[SKIN])
    keep = KDTree(skin).query(points)[0] > _ON_SKIN
    points, normals = points[keep], normals[keep]
    distance, nearest = KDTree(head.vertices).query(points)
    hair = (head.regions[nearest] == HAIR) | (distance > _ABOVE_SKIN)
    return points, normals, np.where(hair, HAIR, SKIN).astype(np.int8)


class _Views:
    """Cameras [K, 4, 4] around the head, with the head's mask [K, H, W] in each."""

    def __init__(self, camera: Camera, poses: np.ndarray, masks: np.ndarray) -> None:
        self._camera, self._poses, self._masks = camera, poses, masks

    def outside(self, points: np.ndarray) -> np.ndarray:  # [P]
        """Share of views in which points [P, 3] lie beside the head; beyond the picture's edge nothing is known."""
        out = np.zeros(len(points))
        for pose, mask in zip(self._poses, self._masks, strict=True):
            x, y, within = self._pixels(points, pose)
            out += within & ~mask[y, x]
        return out / len(self._poses)

    def _pixels(self, points: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pixels = np.floor(project(points, pose, self._camera.K)).astype(int)
        size = np.array([self._camera.width, self._camera.height])
        within = np.all((pixels >= 0) & (pixels < size), axis=-1)
        x, y = np.clip(pixels, 0, size - 1).T
        return x, y, within

    def colours(self, points: np.ndarray, normals: np.ndarray, pictures: np.ndarray) -> np.ndarray:  # [P, 3]
        """Median colour in [0, 1] over the views that a point faces; hidden points take their neighbour's."""
        seen = np.full((len(self._poses), len(points), 3), np.nan, np.float32)
        for k, (pose, mask, picture) in enumerate(zip(self._poses, self._masks, pictures, strict=True)):
            x, y, within = self._pixels(points, pose)
            eye = -pose[:3, :3].T @ pose[:3, 3]
            facing = ((eye - points) * normals).sum(-1) > 0.15 * np.linalg.norm(eye - points, axis=-1)
            # The outermost pixels of a mask are half background.
            visible = within & facing & ndimage.binary_erosion(mask, iterations=max(len(mask) // 100, 1))[y, x]
            seen[k, visible] = picture[y[visible], x[visible]] / 255
        known = ~np.isnan(seen[..., 0]).all(0)
        colours = np.full((len(points), 3), 0.5)
        if known.any():
            colours[known] = np.nanmedian(seen[:, known], axis=0)
            _, nearest = KDTree(points[known]).query(points[~known])
            colours[~known] = colours[known][nearest]
        return colours


def _shell(face_points: np.ndarray, skull: np.ndarray, view: _Views) -> tuple[np.ndarray, np.ndarray]:
    """Points and outward normals [P, 3] of the head beside the face, above the points of a bare skull."""
    coarse = on_sphere(_DIRECTIONS)
    hull = _hull_radius(coarse, view)
    face = _face_radius(face_points)
    on_face = face(coarse)
    prior = _skull_radius(skull)(coarse) + _HAIR_DEPTH
    rim = (np.abs(coarse[:, 2]) < 0.5) & (hull < _RADII[-1])
    target = np.where(np.isnan(on_face), np.where(rim, hull, np.minimum(prior, hull)), on_face)
    weight = np.where(np.isnan(on_face), np.where(rim, 0.3, 0.003), 3.0)
    radius = _smoothest(coarse, target, weight)
    radius = np.where(np.isnan(on_face), np.minimum(radius, hull), radius)
    fine = on_sphere(2 * _SHELL_POINTS)
    fine = fine[(fine[:, 2] < _BACK) & np.isnan(face(fine))]
    distance, near = KDTree(coarse).query(fine, k=5)
    share = 1 / (distance + 1e-3)
    reach = (radius[near] * share).sum(1) / share.sum(1)
    points = _CENTRE + fine * reach[:, None]
    keep = view.outside(points) <= _ALLOWED_OUTSIDE
    return points[keep], fine[keep]


def _hull_radius(directions: np.ndarray, view: _Views) -> np.ndarray:
    """How far from the middle the head may reach in each direction without leaving any silhouette."""
    points = _CENTRE + directions[:, None] * _RADII[:, None]
    inside = view.outside(points.reshape(-1, 3)).reshape(points.shape[:2]) <= _ALLOWED_OUTSIDE
    first_out = np.where(inside.all(1), len(_RADII) - 1, np.argmin(inside, axis=1))
    return _RADII[np.maximum(first_out - 1, 0)]


def _face_radius(vertices: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Distance of the face from the middle by direction, NaN beside it."""
    offset = vertices - _CENTRE
    radius = np.linalg.norm(offset, axis=-1)
    interpolate = LinearNDInterpolator(_flat(offset / radius[:, None]), radius)
    return lambda directions: interpolate(_flat(directions))


def _skull_radius(points: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Distance of a head's outermost points from the middle by direction."""
    offset = points - _CENTRE
    radius = np.linalg.norm(offset, axis=-1)
    tree = KDTree(offset / radius[:, None])
    return lambda directions: radius[tree.query(directions, k=6)[1]].max(1)


def _flat(directions: np.ndarray) -> np.ndarray:  # [P, 2]
    """Azimuthal equidistant map around the way the face looks."""
    angle = np.arccos(np.clip(-directions[:, 2], -1, 1))
    flat = directions[:, :2] / np.maximum(np.linalg.norm(directions[:, :2], axis=-1, keepdims=True), 1e-9)
    return flat * angle[:, None]


def _smoothest(directions: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Radii that bend least while keeping to weighted targets: a sparse linear system on the neighbour graph."""
    count, neighbours = len(directions), 6
    near = np.asarray(KDTree(directions).query(directions, k=neighbours + 1)[1])
    rows = np.repeat(np.arange(count), neighbours)
    graph = sparse.csr_matrix((np.full(rows.size, 1 / neighbours), (rows, near[:, 1:].ravel())), (count, count))
    bend = sparse.identity(count) - graph
    system = bend.T @ bend * 4.0 + sparse.diags(weight)
    return np.asarray(spsolve(system.tocsc(), weight * target))


def _mouth_colours(folder: Path, points: np.ndarray, regions: np.ndarray, camera: Camera) -> np.ndarray:  # [P, 3]
    """Median colour in [0, 1] of points inside the mouth [P, 3] over the frames that open it most.

    Points that no frame shows take the colour of the nearest one of their region, or the usual one.
    """
    tracking = read_arrays(folder / "tracking.npz", "found", "lip_opening", "landmarks", "rotations", "translations")
    opening = np.where(tracking["found"], tracking["lip_opening"], -1.0)
    chosen = np.sort(np.argsort(opening)[-_OPEN_VIEWS:])
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
