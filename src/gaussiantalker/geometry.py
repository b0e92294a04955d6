"""Cameras, rotations, and points spread over surfaces, in numpy.

Conventions: quaternions are wxyz; camera axes are OpenCV's (x right, y down, z forward); rigid matrices map
world to camera; the head's own frame has the same axes when the face looks straight into the camera (x to the
picture's right, y down, z into the head), its origin between the eyes, and the distance between the outer eye
corners as its unit of length.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion, in pixels."""

    focal: float
    cx: float
    cy: float
    width: int
    height: int

    @property
    def K(self) -> np.ndarray:  # [3, 3]
        return np.array([[self.focal, 0, self.cx], [0, self.focal, self.cy], [0, 0, 1]])


def rigid(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """[..., 3, 3] and [..., 3] to [..., 4, 4]."""
    out = np.zeros((*rotation.shape[:-2], 4, 4))
    out[..., :3, :3], out[..., :3, 3], out[..., 3, 3] = rotation, translation, 1
    return out


def project(points: np.ndarray, world_to_camera: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Pixels [..., P, 2] of points [P, 3] under matrices [..., 4, 4]; pixel centres lie at .5."""
    camera = points @ np.swapaxes(world_to_camera[..., :3, :3], -1, -2) + world_to_camera[..., None, :3, 3]
    homogeneous = camera @ K.T
    return homogeneous[..., :2] / homogeneous[..., 2:]


def rotation_angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle in radians [...] between rotations [..., 3, 3]."""
    relative = np.swapaxes(a, -1, -2) @ b
    return Rotation.from_matrix(relative.reshape(-1, 3, 3)).magnitude().reshape(relative.shape[:-2])


def yaw_pitch_roll(rotation: np.ndarray) -> np.ndarray:
    """Degrees [..., 3] about the head's y, x and z axes (applied in that order) of rotations [..., 3, 3]."""
    flat = Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_euler("YXZ", degrees=True)
    return flat.reshape(*rotation.shape[:-2], 3)


def from_yaw_pitch_roll(degrees: np.ndarray) -> np.ndarray:
    """Rotations [..., 3, 3] from yaw, pitch and roll [..., 3] in degrees: the inverse of `yaw_pitch_roll`."""
    degrees = np.asarray(degrees, dtype=float)
    rotations = Rotation.from_euler("YXZ", degrees.reshape(-1, 3), degrees=True)
    return rotations.as_matrix().reshape(*degrees.shape[:-1], 3, 3)


def on_mesh(vertices: np.ndarray, triangles: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` points [P, 3] spread over triangles [F, 3] by area, with the triangles' normals; always the same ones."""
    corners = vertices[triangles].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=-1)
    chosen = np.searchsorted(np.cumsum(areas) / areas.sum(), (np.arange(count) + 0.5) / count)
    a, b = np.random.default_rng(0).random((2, count))
    a, b = np.where(a + b > 1, 1 - a, a), np.where(a + b > 1, 1 - b, b)
    picked = corners[chosen]
    points = picked[:, 0] + a[:, None] * (picked[:, 1] - picked[:, 0]) + b[:, None] * (picked[:, 2] - picked[:, 0])
    return points, normals[chosen] / areas[chosen, None]


def on_sphere(count: int) -> np.ndarray:  # [count, 3]
    """Unit vectors spread evenly (Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z, angle = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - z**2)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
