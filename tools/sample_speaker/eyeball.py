"""An eyeball with a cornea bulge and its polar iris picture, all procedural."""

from __future__ import annotations

import numpy as np

IRIS_ANGLE = 0.405
"""Half angle of the iris in rad, as seen from the centre of the eyeball."""


def grid_faces(columns: int, rows: int) -> list[list[int]]:
    """Quads of a rows x columns vertex grid that wraps around in the columns."""
    faces = []
    for row in range(rows - 1):
        for k in range(columns):
            a = row * columns + k
            b = row * columns + (k + 1) % columns
            faces.append([a, b, b + columns, a + columns])
    return faces


def eyeball_mesh(columns: int = 64, rows: int = 56) -> tuple[np.ndarray, list[list[int]], np.ndarray]:
    """Unit eyeball looking to +z: vertices, quads and (u, v) of every quad corner.

    u goes around the axis, v is the polar angle divided by pi (0 in the pupil).
    """
    fine = columns * 26 // 64
    polar = np.r_[
        np.linspace(0, IRIS_ANGLE * 1.15, fine),
        np.linspace(IRIS_ANGLE * 1.2, np.pi, rows - fine),
    ]
    around = 2 * np.pi * np.arange(columns) / columns
    bulge = 1 + 0.06 * np.clip(1 - (polar / (IRIS_ANGLE * 1.12)) ** 2, 0, None)
    ring = bulge * np.sin(polar)
    vertices = np.stack(
        [
            np.outer(ring, np.cos(around)),
            np.outer(ring, np.sin(around)),
            np.outer(bulge * np.cos(polar), np.ones(columns)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    faces = grid_faces(columns, rows)
    corner_uv = []
    for face in faces:
        for corner, index in enumerate(face):
            row, k = divmod(index, columns)
            wrapped = corner in (1, 2) and k == 0
            corner_uv.append((1.0 if wrapped else k / columns, polar[row] / np.pi))
    return vertices, faces, np.array(corner_uv)


def _iris(rng: np.random.Generator, around: np.ndarray, reach: np.ndarray, outer: tuple, inner: tuple) -> np.ndarray:
    """Iris colour: radial fibres, a warm inner ring, a dark limbal ring and the pupil."""
    fibres = np.zeros_like(reach)
    for count in rng.integers(20, 160, 70):
        wobble = 1.5 * np.sin(reach * rng.uniform(2, 9) + rng.uniform(0, 6))
        fibres += np.sin(around * count + rng.uniform(0, 6.28) + wobble) * rng.uniform(0.3, 1)
    fibres = 0.5 + 0.5 * fibres / np.abs(fibres).max()
    blend = np.clip((reach - 0.42) / 0.35, 0, 1)[..., None]
    colour = np.array(inner) * (1 - blend) + np.array(outer) * blend
    colour = colour * (0.55 + 0.9 * fibres[..., None] ** 1.3)
    colour = colour * (1 - 0.8 * np.exp(-(((reach - 1.0) / 0.10) ** 2)))[..., None]
    pupil = 1 / (1 + np.exp((reach - 0.36) / 0.018))[..., None]
    return colour * (1 - pupil) + 0.004 * pupil


def _sclera(rng: np.random.Generator, around: np.ndarray, polar: np.ndarray) -> np.ndarray:
    """White of the eye with thin veins, redder towards the back."""
    veins = np.zeros_like(polar)
    for _ in range(46):
        centre, sway, waves, phase = (
            rng.uniform(0, 6.28), rng.uniform(0.03, 0.12), rng.uniform(3, 9), rng.uniform(0, 6.28),
        )  # fmt: skip
        offset = around - centre - sway * np.sin(waves * polar + phase)
        offset = np.angle(np.exp(1j * offset))
        fade = np.clip((polar - 0.62) / 0.8, 0, 1)
        veins += np.exp(-((offset / 0.006) ** 2)) * fade * rng.uniform(0.3, 1)
    colour = np.ones((*polar.shape, 3)) * np.array([0.80, 0.755, 0.72])
    colour *= 1 - np.clip(veins, 0, 1)[..., None] * np.array([0.10, 0.42, 0.42])
    back = np.clip((polar[..., None] - 0.75), 0, 1)
    return colour * (1 - 0.35 * back * np.array([0.2, 0.9, 1.0]))


def eye_picture(
    size: int = 1024,
    seed: int = 3,
    outer: tuple[float, float, float] = (0.30, 0.42, 0.45),
    inner: tuple[float, float, float] = (0.45, 0.36, 0.18),
) -> np.ndarray:
    """Polar colour picture [size, size, 3]: column = angle around, row 0 = pupil."""
    rng = np.random.default_rng(seed)
    polar_axis = (np.arange(size) + 0.5) / size * np.pi
    around_axis = np.linspace(0, 2 * np.pi, size, endpoint=False)
    polar, around = np.meshgrid(polar_axis, around_axis, indexing="ij")
    reach = polar / IRIS_ANGLE
    iris = _iris(rng, around, reach, outer, inner)
    white = 1 / (1 + np.exp(-(reach - 1.03) / 0.022))[..., None]
    return np.clip(iris * (1 - white) + _sclera(rng, around, polar) * white, 0, 1)
