"""Eyelashes and eyebrows: short strands that ride on the moving skin (metres)."""

from __future__ import annotations

import numpy as np

from head import Eyeball, Head, triangles, vertex_normals

POINTS = 5
_ALONG = np.linspace(0, 1, POINTS)[None, :, None]


class Lashes:
    """Strands from the root row to the tip row of the base mesh's lash strips."""

    STRIPS = ((2, 85, 0.0062, 0.85, 0.0012, 0.00019), (1, 40, 0.0035, 0.60, -0.0006, 0.00010))
    """Per strip (2 upper, 1 lower): count, longest (m), length gain, curl (m), radius (m)."""

    def __init__(self, head: Head, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self._rows = []
        for letter, eye in zip("lr", head.eyes, strict=True):
            for strip in self.STRIPS:
                faces = head.mesh.faces_of(f"helper-{letter}-eyelashes-{strip[0]}")
                roots, tips = _strip_rows(head.rest, faces, eye)
                count = strip[1]
                place = np.sort(rng.random(count))
                lean = rng.normal(0, 0.06, count)
                length = rng.uniform(0.75, 1.05, count)
                self._rows.append((strip, roots, tips, place, lean, length))
        taper = np.linspace(1, 0.15, POINTS)
        self.radii = np.concatenate([np.tile(taper * row[0][5], (row[0][1], 1)) for row in self._rows])

    def points(self, vertices: np.ndarray) -> np.ndarray:
        """Strands [S, 5, 3] on posed vertices."""
        strands = []
        for (_, _, longest, gain, curl, _), roots, tips, place, lean, length in self._rows:
            root = _along_row(vertices[roots], place)
            reach = _along_row(vertices[tips], np.clip(place + lean, 0, 1)) - root
            reach *= (length * gain)[:, None]
            size = np.linalg.norm(reach, axis=1, keepdims=True)
            reach *= np.minimum(1, longest / size)
            bend = np.array([0, curl, 0]) * _ALONG**2
            strands.append(root[:, None] + reach[:, None] * _ALONG + bend)
        return np.concatenate(strands)


def _strip_rows(rest: np.ndarray, faces: list[list[int]], eye: Eyeball) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the inner (root) and outer (tip) edge, ordered along x."""
    corners = np.array(sorted({i for face in faces for i in face}))
    away = np.linalg.norm(rest[corners] - eye.centre, axis=1)
    x = rest[corners, 0]
    edges = np.quantile(x, np.linspace(0, 1, 9))
    roots, tips = set(), set()
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        bin_members = np.flatnonzero((x >= low) & (x <= high))
        roots.add(bin_members[away[bin_members].argmin()])
        tips.add(bin_members[away[bin_members].argmax()])
    return tuple(corners[sorted(row, key=lambda k: x[k])] for row in (roots, tips))


def _along_row(row: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Points at fractions `place` of a polyline with evenly spaced knots."""
    knots = np.linspace(0, 1, len(row))
    return np.stack([np.interp(place, knots, row[:, axis]) for axis in range(3)], axis=1)


class Brows:
    """Strands rooted by ray-cast on the rest face, carried by barycentric weights."""

    COUNT = 620
    RADIUS = 0.000060

    def __init__(self, head: Head, seed: int = 4) -> None:
        rng = np.random.default_rng(seed)
        tris = triangles(head.mesh.faces_of("body"))
        centre = head.rest[tris].mean(1)
        near = (centre[:, 2] > 0.06) & (np.abs(centre[:, 1] - head.eyes[0].centre[1] - 0.016) < 0.03)
        tris = tris[near]
        normals = vertex_normals(head.rest, tris)
        corners, weights, reaches, outs = [], [], [], []
        for eye in head.eyes:
            side = np.sign(eye.centre[0])
            for _ in range(self.COUNT):
                x, y, angle, gain = _brow_hair(rng, eye)
                hit = _cast(head.rest, tris, side * x, y)
                if hit is None:
                    continue
                tri, bary = hit
                normal = bary @ normals[tris[tri]]
                reach = np.array([side * np.cos(angle), np.sin(angle), 0])
                reach -= normal * (reach @ normal)
                reach = reach / np.linalg.norm(reach) + 0.22 * normal
                corners.append(tris[tri])
                weights.append(bary)
                reaches.append(reach * rng.uniform(0.0055, 0.0085) * gain)
                outs.append(normal)
        self._corners, self._weights = np.array(corners), np.array(weights)
        self._reach, self._out = np.array(reaches), np.array(outs)
        self.radii = np.tile(np.linspace(1, 0.2, POINTS) * self.RADIUS, (len(corners), 1))

    def points(self, vertices: np.ndarray, head_rotation: np.ndarray) -> np.ndarray:
        """Strands [S, 5, 3] on posed vertices; directions turn with the head."""
        root = (vertices[self._corners] * self._weights[..., None]).sum(1)
        reach = self._reach @ head_rotation.T
        out = self._out @ head_rotation.T
        return root[:, None] + reach[:, None] * _ALONG - out[:, None] * (0.0014 * _ALONG**2)


def _brow_hair(rng: np.random.Generator, eye: Eyeball) -> tuple[float, float, float, float]:
    """(|x|, y, direction in rad, length gain) of one hair; `t` runs from nose to temple."""
    t = rng.random() ** 0.9
    arc = 0.0060 * np.sin(np.pi / 2 * min(t / 0.72, 1)) - 0.0085 * max(0, t - 0.66) / 0.34
    middle = eye.centre[1] + 0.0165 + arc
    spread = 0.0056 * (1 - 0.75 * t) ** 0.8
    y = middle + rng.normal(0, 0.45) * spread
    angle = np.interp(t, [0, 0.25, 0.6, 1], [1.25, 0.75, 0.25, -0.35])
    angle += rng.normal(0, 0.18) - (y - middle) / spread * 0.25
    return 0.0125 + 0.041 * t, y, angle, float(np.interp(t, [0, 0.3, 1], [0.8, 1, 0.75]))


def _cast(vertices: np.ndarray, tris: np.ndarray, x: float, y: float) -> tuple[int, np.ndarray] | None:
    """Front-most triangle under (x, y) seen along -z, with barycentric weights."""
    a, b, c = (vertices[tris[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    area = np.where(np.abs(area) < 1e-14, 1e-14, area)
    v = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    w = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    if not inside.any():
        return None
    depth = a[:, 2] * (1 - v - w) + b[:, 2] * v + c[:, 2] * w
    best = int(np.where(inside, depth, -np.inf).argmax())
    return best, np.array([1 - v[best] - w[best], v[best], w[best]])
