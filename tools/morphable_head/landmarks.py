"""Which point of the mesh each of the face landmarker's 468 landmarks means, learnt by looking at drawn heads.

Heads of known shape are drawn under known poses with an open and with a closed mouth; the landmarker says where in
the picture its landmarks are, and the drawing says which point of the surface lies there.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from gaussiantalker.capture.face_mesh import INNER_LIP_RING, MESH_POINTS
from gaussiantalker.capture.landmarker import Landmarker
from synthetic_head.clip import CAMERA, FOCAL, _world_to_camera
from synthetic_head.model import LightHead
from synthetic_head.rasterise import rasterise
from synthetic_head.shading import paint, shade

SIZE = 512
POSES = [(p, y) for y in (-22, -11, 0, 11, 22) for p in (-9, 0, 9)]
"""Pitch and yaw in degrees."""
OPEN_MOUTH = {"jawOpen": 0.45}


class Observer:
    """Collects, per landmark, points of the surface as positions [3] on one head at rest."""

    def __init__(self, rest: np.ndarray, allowed: np.ndarray) -> None:
        """`rest` [S, 3] is the head on which positions are told, `allowed` [S] the vertices landmarks may lie on."""
        self._rest, self._allowed = rest, allowed
        self._landmarker = Landmarker()
        self.seen: list[list[np.ndarray]] = [[] for _ in range(MESH_POINTS)]

    def look(self, head: LightHead) -> None:
        """Draws the head in all poses, mouth shut and open."""
        camera = np.array([[FOCAL * SIZE, 0, SIZE / 2], [0, FOCAL * SIZE, SIZE / 2], [0, 0, 1]])
        view = _world_to_camera()
        for units in ({}, OPEN_MOUTH):
            for pitch, yaw in POSES:
                turn = Rotation.from_euler("xy", [pitch, yaw], degrees=True).as_rotvec()
                vertices, _ = head.pose(head.express(units), turn, np.array([-turn[1], turn[0]]))
                points = vertices @ view[:3, :3].T + view[:3, 3]
                self._note(head, vertices, points, camera, bool(units))

    def _note(self, head: LightHead, vertices: np.ndarray, points: np.ndarray, camera: np.ndarray, mouth: bool) -> None:
        cover = rasterise(points, head.triangles, camera, SIZE)
        albedo, _, gloss = paint(head, cover)
        moving = cover.interpolate(np.c_[head.normals(vertices), CAMERA - vertices], head.triangles)
        picture = np.full((SIZE * SIZE, 3), 0.3)
        picture[cover.pixel] = shade(albedo, gloss, moving[:, :3], moving[:, 3:])
        picture = (np.clip(picture, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8).reshape(SIZE, SIZE, 3)
        face = self._landmarker.detect(picture)
        if face is None:
            return
        corners = head.triangles[cover.triangle]
        usable = (corners < head.skin_count).all(1)
        usable[usable] = self._allowed[corners[usable]].all(1)
        spots = np.stack([cover.pixel % SIZE, cover.pixel // SIZE], axis=1)[usable] + 0.5
        share, corners = cover.weight[usable], corners[usable]
        away, nearest = cKDTree(spots).query(face.points[:MESH_POINTS, :2])
        place = (share[nearest][..., None] * self._rest[corners[nearest]]).sum(1)
        for k in range(MESH_POINTS):
            if away[k] < 4 and (k in INNER_LIP_RING) == mouth:
                self.seen[k].append(place[k])

    def result(self, triangles: np.ndarray, most_scatter: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Landmarks [L] that stay on one place of the surface, the vertices [L, 3] around it and their shares [L, 3].

        Triangles are those of the surface landmarks may lie on.
        """
        kept = [k for k in range(MESH_POINTS) if len(self.seen[k]) >= len(POSES)]
        middle = np.array([np.median(self.seen[k], axis=0) for k in kept])
        scatter = np.array(
            [np.median(np.linalg.norm(np.array(self.seen[k]) - m, axis=1)) for k, m in zip(kept, middle, strict=True)]
        )
        steady = scatter < most_scatter
        vertices, shares = nearest_on_mesh(self._rest, triangles, middle[steady])
        return np.array(kept)[steady], vertices, shares


def nearest_on_mesh(points: np.ndarray, triangles: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners [L, 3] and barycentric shares [L, 3] of the points of a mesh nearest to places [L, 3]."""
    _, near = cKDTree(points[triangles].mean(1)).query(places, k=24)
    a, b, c = (points[triangles[near]][:, :, k] for k in range(3))
    first, second, to = b - a, c - a, places[:, None] - a
    d11, d12, d22 = ((u * v).sum(-1) for u, v in ((first, first), (first, second), (second, second)))
    d1, d2 = (to * first).sum(-1), (to * second).sum(-1)
    det = np.maximum(d11 * d22 - d12**2, 1e-18)
    shares = np.stack([np.zeros_like(d1), (d22 * d1 - d12 * d2) / det, (d11 * d2 - d12 * d1) / det], axis=-1)
    shares[..., 0] = 1 - shares[..., 1] - shares[..., 2]
    shares = np.clip(shares, 0, None)
    shares /= shares.sum(-1, keepdims=True)
    found = (shares[..., None] * np.stack([a, b, c], axis=2)).sum(2)
    best = np.linalg.norm(found - places[:, None], axis=-1).argmin(1)
    rows = np.arange(len(places))
    return triangles[near[rows, best]], shares[rows, best]
