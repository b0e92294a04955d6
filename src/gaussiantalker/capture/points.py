"""A dense cloud over the whole visible head, to start Gaussians from.

The face is the fitted mesh. Around it, hair, ears and the underside of the chin are a smooth closed surface seen from
the middle of the head: it meets the face, follows the silhouettes that the masks of all frames leave (a visual hull;
Laurentini 1994), and falls back to an average skull where nothing is known.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage, sparse
from scipy.interpolate import LinearNDInterpolator
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from gaussiantalker.capture.arrays import ArrayReader, spread
from gaussiantalker.capture.surface import on_mesh, on_sphere
from gaussiantalker.geometry import Camera, project, rigid
from gaussiantalker.progress import Progress

HEAD = 1
FACE_POINTS = 10_000
SHELL_POINTS = 22_000
_CENTRE = np.array([0.0, 0.1, 0.75])  # middle of an average skull, head units
_SKULL = np.array([0.92, 1.25, 1.1])  # its half axes, with hair
_RADII = np.linspace(0.3, 2.4, 71)
_DIRECTIONS = 3000
_VIEWS = 40
_ALLOWED_OUTSIDE = 0.05
_BACK = 0.45  # directions further back than this are never seen


def make_points(folder: Path, camera: dict[str, Any], progress: Progress) -> dict:
    """Writes points.npz from tracking.npz, labels.npy and frames.npy."""
    progress.stage("head surface", 4)
    with np.load(folder / "tracking.npz") as tracking:
        vertices, triangles = tracking["vertices"].astype(np.float64), tracking["triangles"]
        found = np.flatnonzero(tracking["found"])
        chosen = found[spread(len(found), _VIEWS)]
        poses = rigid(tracking["rotations"][chosen], tracking["translations"][chosen])
    labels, frames = ArrayReader(folder / "labels.npy"), ArrayReader(folder / "frames.npy")
    masks = np.stack([labels[int(k)] == HEAD for k in chosen])
    view = Views(Camera(**camera), poses, masks)
    progress.update(1)
    shell, normals = _shell(vertices, triangles, view)
    progress.update(2)
    face, face_normals = on_mesh(vertices, triangles, FACE_POINTS)
    points = np.concatenate([face, shell])
    progress.update(3)
    pictures = np.stack([frames[int(k)] for k in chosen])
    colors = view.colours(points, np.concatenate([face_normals, normals]), pictures)
    np.savez(folder / "points.npz", points=points.astype(np.float32), colors=colors.astype(np.float32))
    progress.update(4)
    return {"points": len(points)}


class Views:
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
        within = ((pixels >= 0) & (pixels < size)).all(-1)
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
            _, nearest = cKDTree(points[known]).query(points[~known])
            colours[~known] = colours[known][nearest]
        return colours


def _shell(vertices: np.ndarray, triangles: np.ndarray, view: Views) -> tuple[np.ndarray, np.ndarray]:
    """Points and outward normals [P, 3] of the head beside the face."""
    coarse = on_sphere(_DIRECTIONS)
    hull = _hull_radius(coarse, view)
    face = _face_radius(vertices)
    on_face = face(coarse)
    prior = 1 / np.linalg.norm(coarse / _SKULL, axis=-1)
    rim = (np.abs(coarse[:, 2]) < 0.5) & (hull < _RADII[-1])
    target = np.where(np.isnan(on_face), np.where(rim, hull, np.minimum(prior, hull)), on_face)
    weight = np.where(np.isnan(on_face), np.where(rim, 0.3, 0.003), 3.0)
    radius = _smoothest(coarse, target, weight)
    radius = np.where(np.isnan(on_face), np.minimum(radius, hull), radius)
    fine = on_sphere(2 * SHELL_POINTS)
    fine = fine[(fine[:, 2] < _BACK) & np.isnan(face(fine))]
    distance, near = cKDTree(coarse).query(fine, k=5)
    share = 1 / (distance + 1e-3)
    reach = (radius[near] * share).sum(1) / share.sum(1)
    points = _CENTRE + fine * reach[:, None]
    keep = view.outside(points) <= _ALLOWED_OUTSIDE
    return points[keep], fine[keep]


def _hull_radius(directions: np.ndarray, view: Views) -> np.ndarray:
    """How far from the middle the head may reach in each direction without leaving any silhouette."""
    points = _CENTRE + directions[:, None] * _RADII[:, None]
    inside = view.outside(points.reshape(-1, 3)).reshape(points.shape[:2]) <= _ALLOWED_OUTSIDE
    first_out = np.where(inside.all(1), len(_RADII) - 1, np.argmin(inside, axis=1))
    return _RADII[np.maximum(first_out - 1, 0)]


def _face_radius(vertices: np.ndarray) -> LinearNDInterpolator:
    """Distance of the face from the middle by direction, NaN beside it."""
    offset = vertices - _CENTRE
    radius = np.linalg.norm(offset, axis=-1)
    interpolate = LinearNDInterpolator(_flat(offset / radius[:, None]), radius)
    return lambda directions: interpolate(_flat(directions))


def _flat(directions: np.ndarray) -> np.ndarray:  # [P, 2]
    """Azimuthal equidistant map around the way the face looks."""
    angle = np.arccos(np.clip(-directions[:, 2], -1, 1))
    flat = directions[:, :2] / np.maximum(np.linalg.norm(directions[:, :2], axis=-1, keepdims=True), 1e-9)
    return flat * angle[:, None]


def _smoothest(directions: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Radii that bend least while keeping to weighted targets: a sparse linear system on the neighbour graph."""
    count, neighbours = len(directions), 6
    _, near = cKDTree(directions).query(directions, k=neighbours + 1)
    rows = np.repeat(np.arange(count), neighbours)
    graph = sparse.csr_matrix((np.full(rows.size, 1 / neighbours), (rows, near[:, 1:].ravel())), (count, count))
    bend = sparse.identity(count) - graph
    system = bend.T @ bend * 4.0 + sparse.diags(weight)
    return spsolve(system.tocsc(), weight * target)
