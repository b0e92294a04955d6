"""Teeth and gums: super-ellipsoids with real crown widths along a dental arch (metres)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyeball import grid_faces
from head import LOWER_TEETH, UPPER_TEETH

# Mean crown sizes in millimetres from the central incisor outwards (common dental tables).
UPPER_WIDTHS = (8.4, 6.6, 7.4, 6.6, 6.5, 9.2, 9.0)
UPPER_HEIGHTS = (9.8, 8.6, 9.6, 8.0, 7.6, 7.0, 6.6)
LOWER_WIDTHS = (5.4, 5.9, 6.6, 6.8, 6.9, 9.6, 9.4)
LOWER_HEIGHTS = (8.4, 8.6, 9.4, 8.2, 7.8, 7.0, 6.6)
DEPTHS = (5.0, 4.8, 6.0, 7.5, 7.5, 9.0, 9.0)
CROWN_SCALE = 0.93
ARCH_DEPTH = 0.088


@dataclass(frozen=True)
class ToothRow:
    """One jaw in the rest pose: crowns and gum as separate meshes."""

    crowns: np.ndarray
    crown_faces: list[list[int]]
    gum: np.ndarray
    gum_faces: list[list[int]]


def _arch(position: np.ndarray, half_width: float, front: float) -> tuple[np.ndarray, np.ndarray]:
    """(x, z) along the arch; position 0 is the middle, +-1 the last molar."""
    angle = position * np.pi / 2
    return half_width * np.sin(angle), front - ARCH_DEPTH + ARCH_DEPTH * np.cos(angle) ** 0.8


def _crown(width: float, height: float, depth: float, taper: float) -> np.ndarray:
    """Super-ellipsoid [V, 3], narrower towards +y (the gum side)."""

    def power(value: np.ndarray) -> np.ndarray:
        return np.sign(value) * np.abs(value) ** 0.48

    up = np.linspace(-np.pi / 2, np.pi / 2, 11)
    around = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    y = power(np.sin(up))
    ring = power(np.cos(up))
    narrowing = 1 - taper * (y * 0.5 + 0.5)
    x = width / 2 * np.outer(ring * narrowing, power(np.cos(around)))
    z = depth / 2 * np.outer(ring, power(np.sin(around)))
    return np.stack([x, np.outer(height / 2 * y, np.ones(14)), z], axis=-1).reshape(-1, 3)


def _tooth_row(upper: bool, edge_y: float, half_width: float, front: float) -> ToothRow:
    """Crowns whose cutting edges lie at `edge_y`, and a gum tube behind their roots."""
    rng = np.random.default_rng(2 if upper else 1)
    widths, heights = (UPPER_WIDTHS, UPPER_HEIGHTS) if upper else (LOWER_WIDTHS, LOWER_HEIGHTS)
    fine = np.linspace(0, 1, 4000)
    arch_x, arch_z = _arch(fine, half_width, front)
    length = np.r_[0, np.cumsum(np.hypot(np.diff(arch_x), np.diff(arch_z)))]
    direction = 1 if upper else -1
    template = grid_faces(14, 11)
    crowns, faces = [], []
    for side in (-1, 1):
        reached = 0.0
        for width, height, depth in np.c_[widths, heights, DEPTHS] * 1e-3:
            width *= CROWN_SCALE
            centre = reached + width / 2
            reached += width * 1.005
            if centre > length[-1]:
                break
            k = min(int(np.searchsorted(length, centre)), len(fine) - 2)
            tangent = np.array([arch_x[k + 1] - arch_x[k - 1], arch_z[k + 1] - arch_z[k - 1]])
            tangent /= np.linalg.norm(tangent)
            crown = _crown(width * 1.10, height, depth, 0.16 if upper else 0.10)
            crown *= 1 + rng.normal(0, 0.012, 3)
            crown[:, 1] = direction * (crown[:, 1] + height / 2) + rng.normal(0, 2e-4)
            x = arch_x[k] + crown[:, 0] * tangent[0] - crown[:, 2] * tangent[1]
            z = arch_z[k] + crown[:, 0] * tangent[1] + crown[:, 2] * tangent[0] - depth * 0.35
            offset = sum(len(c) for c in crowns)
            crowns.append(np.c_[side * x, edge_y + crown[:, 1], z])
            flip = (side == 1) != upper
            faces += [[q + offset for q in (f[::-1] if flip else f)] for f in template]
    gum, gum_faces = _gum(edge_y + (0.0118 if upper else -0.0112), half_width, front)
    return ToothRow(np.vstack(crowns), faces, gum, gum_faces)


def _gum(y: float, half_width: float, front: float) -> tuple[np.ndarray, list[list[int]]]:
    """A tube along the arch."""
    rows, columns = 60, 12
    x, z = _arch(np.linspace(-1, 1, rows), half_width, front)
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    tube = np.stack(
        [
            np.outer(x, np.ones(columns)),
            y + 0.0058 * np.outer(np.ones(rows), np.sin(around)),
            (z - 0.0035)[:, None] + 0.0052 * np.cos(around),
        ],
        axis=-1,
    )
    return tube.reshape(-1, 3), grid_faces(columns, rows)


def tooth_rows(rest: np.ndarray) -> tuple[ToothRow, ToothRow]:
    """Upper and lower row placed inside the helper teeth of the base mesh."""
    upper, lower = rest[UPPER_TEETH], rest[LOWER_TEETH]
    return (
        _tooth_row(True, upper[:, 1].min() - 0.0042, 0.0275, upper[:, 2].max() - 0.0012),
        _tooth_row(False, lower[:, 1].max() - 0.0062, 0.0262, lower[:, 2].max() - 0.0022),
    )
