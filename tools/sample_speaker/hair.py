"""Scalp hair tied back to a low bun: strands grown over the rest-pose head (metres)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from head import triangles, vertex_normals

SKULL_CENTRE = np.array([0.0, 0.700, 0.045])
BUN = np.array([0.0, 0.655, -0.075])
PARTING_X = 0.018
POINTS_PER_STRAND = 22
SCALP_ABOVE_Y = 0.60

# Hairline: elevation (deg) above which hair grows, by azimuth from the nose (deg).
HAIRLINE_AZIMUTH = (0, 20, 35, 48, 60, 72, 84, 95, 108, 122, 150, 180)
HAIRLINE_ELEVATION = (25, 25.5, 24, 18, 8, -2, -7, 6, -8, -24, -38, -42)


def above_hairline(points: np.ndarray) -> np.ndarray:
    """Degrees above the hairline (negative: bare skin)."""
    out = points - SKULL_CENTRE
    azimuth = np.degrees(np.arctan2(np.abs(out[:, 0]), out[:, 2]))
    elevation = np.degrees(np.arctan2(out[:, 1], np.hypot(out[:, 0], out[:, 2])))
    return elevation - np.interp(azimuth, HAIRLINE_AZIMUTH, HAIRLINE_ELEVATION)


def sample_surface(
    rng: np.random.Generator, vertices: np.ndarray, tris: np.ndarray, share: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Random points and smooth normals on triangles, weighted by area x `share`."""
    corners = vertices[tris]
    edges = corners[:, 1:] - corners[:, :1]
    weight = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) * share
    chosen = rng.choice(len(tris), count, p=weight / weight.sum())
    u, v = rng.random((2, count))
    folded = u + v > 1
    u[folded], v[folded] = 1 - u[folded], 1 - v[folded]
    bary = np.stack([1 - u - v, u, v], axis=1)[..., None]
    normals = (vertex_normals(vertices, tris)[tris[chosen]] * bary).sum(1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    return (corners[chosen] * bary).sum(1), normals


class _Skull:
    """Height over the scalp from a dense cloud of surface points (about 1 mm apart)."""

    def __init__(self, points: np.ndarray, normals: np.ndarray) -> None:
        self.points, self.normals = points, normals
        self.tree = cKDTree(points)

    def height(self, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signed distance along the local normal, and that normal (mean of 4 neighbours)."""
        _, near = self.tree.query(query, k=4)
        normal = self.normals[near].mean(1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        return ((query - self.points[near].mean(1)) * normal).sum(1), normal


def grow_hair(vertices: np.ndarray, faces: list[list[int]], count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Strands [S, P, 3] and radii [S, P] for the given rest-pose body mesh."""
    rng = np.random.default_rng(seed)
    tris = triangles([f for f in faces if vertices[f].mean(0)[1] > SCALP_ABOVE_Y])
    centres = vertices[tris].mean(1)
    cloud = sample_surface(rng, vertices, tris, np.ones(len(tris)), 120_000)
    skull = _Skull(*cloud)

    growing = (above_hairline(centres) > -6).astype(float)
    roots, normals = sample_surface(rng, vertices, tris, growing, 2 * count)
    dense = rng.random(len(roots)) < np.clip((above_hairline(roots) + 1.5) / 5, 0, 1)
    roots, normals = roots[dense][:count], normals[dense][:count]
    strands = _comb(rng, roots, normals, skull)
    taper = np.linspace(1, 0.55, POINTS_PER_STRAND)
    radii = taper * rng.uniform(0.00008, 0.00012, (len(roots), 1))
    return strands, radii


def _comb(rng: np.random.Generator, roots: np.ndarray, normals: np.ndarray, skull: _Skull) -> np.ndarray:
    """Walk every strand from its root sideways off the parting and back towards the bun."""
    n = len(roots)
    waves = 1 + np.sin(roots[:, 0] * 420 + roots[:, 2] * 300)
    volume = 0.004 * np.exp(-(((roots[:, 0] - PARTING_X) / 0.05) ** 2)) * (roots[:, 1] > 0.73)
    offset = rng.uniform(0.002, 0.0075, n) + volume + 0.0025 * waves * rng.random(n)
    length = rng.uniform(0.8, 1.1, n)
    stray = rng.random(n) < 0.07
    offset[stray] = rng.uniform(0.008, 0.016, stray.sum())
    length[stray] *= rng.uniform(0.35, 0.8, stray.sum())
    step = (0.0090 * length)[:, None]
    side = np.where(roots[:, 0] > PARTING_X + 0.002 * np.sin(roots[:, 2] * 90), 1.0, -1.0)
    rise = np.sin(roots[:, 0] * 260 + roots[:, 2] * 190) * 0.08 + rng.normal(0, 0.06, n)

    position, direction = roots.copy(), normals.copy()
    path = [position.copy()]
    for k in range(1, POINTS_PER_STRAND):
        to_bun = BUN - position
        to_bun /= np.linalg.norm(to_bun, axis=1, keepdims=True) + 1e-9
        sideways = np.exp(-np.abs(position[:, 0] - PARTING_X) / 0.035)
        sideways = (sideways * np.clip((position[:, 1] - 0.715) / 0.05, 0, 1))[:, None]
        want = to_bun * (1 - 0.55 * sideways)
        want[:, 0] += 0.9 * side * sideways[:, 0]
        want[:, 1] += rise
        direction = 0.55 * direction + 0.45 * want
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        moved = position + direction * step
        height, normal = skull.height(moved)
        gap = offset * min(1, k / 4) - height
        moved += normal * (gap * np.where(gap > 0, 0.8, 0.35))[:, None]
        arrived = np.linalg.norm(moved - BUN, axis=1) < 0.02
        moved[arrived] = position[arrived] + 0.2 * (moved - position)[arrived]
        position = moved
        path.append(position.copy())
    return np.stack(path, axis=1)
