"""Identity, expression and pose of the speaker in numpy (Blender is not needed here).

Units are metres, +y up, +z out of the face. The head turns through a chain of four joints
(three of the neck, one of the skull); the torso never moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from assets import MakeHumanData

DECIMETRES_TO_METRES = 0.1

# Vertex ranges of the base mesh (fixed by the hm08 topology).
BODY = slice(0, 13380)
TONGUE = slice(13380, 13606)
EYES = (slice(14598, 14670), slice(14670, 14742))
LOWER_TEETH = slice(14992, 15060)
UPPER_TEETH = slice(15060, 15128)

LIP_PAIR = (520, 540)
"""Mid-line vertices of the inner upper and lower lip: closest rest pair across the seam of
which only the second follows `jawOpen`."""

SECOND_NECK_JOINT = [659, 18889]
THIRD_NECK_JOINT = [226, 17824]
JOINT_SHARES = (0.18, 0.18, 0.20, 0.44)
"""How the whole head rotation is split over neck 1-3 and the skull; they sum to 1."""

BODY_BONES = (
    "spine", "clavicle", "shoulder", "upperarm", "lowerarm", "wrist", "breast", "finger",
    "metacarpal", "pelvis", "upperleg", "lowerleg", "foot", "toe", "root",
)  # fmt: skip

IDENTITY = {
    "macrodetails/caucasian-female-young": 0.75,
    "macrodetails/asian-female-young": 0.15,
    "macrodetails/african-female-young": 0.10,
    "macrodetails/universal-female-young-averagemuscle-averageweight": 1.0,
    "head/head-oval": 0.35,
    "nose/nose-scale-horiz-decr": 0.12,
    "nose/nose-hump-incr": 0.12,
    "chin/chin-width-decr": 0.20,
    "mouth/mouth-lowerlip-volume-incr": 0.25,
    "mouth/mouth-upperlip-volume-incr": 0.20,
    "eyes/l-eye-bag-in": 0.15,
    "eyes/r-eye-bag-in": 0.15,
}
"""Weights of the shape targets: a mixture chosen for this project, nobody's likeness."""


@dataclass(frozen=True)
class Eyeball:
    """A sphere in the rest pose, metres."""

    centre: np.ndarray
    radius: float


class Head:
    """The whole base mesh as one person, with `express` and `pose`."""

    def __init__(self, data: MakeHumanData, identity: dict[str, float] = IDENTITY) -> None:
        self.data = data
        self.mesh = data.base_mesh()
        count = len(self.mesh.vertices)
        shape = self.mesh.vertices.copy()
        for name, weight in identity.items():
            shape += weight * data.shape_target(name, count)
        self.rest = shape * DECIMETRES_TO_METRES
        self.units = {k: d * DECIMETRES_TO_METRES for k, d in data.face_units(count).items()}
        self._set_weights(data.bone_weights(count))
        self.joints = (
            self._joint_centre("joint-neck"),
            self.rest[SECOND_NECK_JOINT].mean(0),
            self.rest[THIRD_NECK_JOINT].mean(0),
            self._joint_centre("joint-head"),
        )
        self.eyes = tuple(_fit_sphere(self.rest[part]) for part in EYES)

    def _set_weights(self, weights: dict[str, np.ndarray]) -> None:
        """Fold the rig into five columns: body, neck 1-3, head; rows sum to 1."""
        total = sum(weights.values())
        total = np.where(total == 0, 1, total)
        necks = [weights[name] / total for name in ("neck01", "neck02", "neck03")]
        body = sum(w for name, w in weights.items() if name.startswith(BODY_BONES)) / total
        for part in (TONGUE, slice(EYES[0].start, UPPER_TEETH.stop)):
            # these helpers carry no weights of their own: they belong to the skull
            body[part] = 0
            for neck in necks:
                neck[part] = 0
        skull = np.clip(1 - body - sum(necks), 0, 1)
        self.weights = np.stack([body, *necks, skull], axis=1)

    def _joint_centre(self, group: str) -> np.ndarray:
        corners = sorted({i for face in self.mesh.faces_of(group) for i in face})
        return self.rest[corners].mean(0)

    def express(self, units: dict[str, float]) -> np.ndarray:
        """Rest-pose vertices [N, 3] with facial units added."""
        vertices = self.rest.copy()
        for name, weight in units.items():
            if weight:
                vertices += weight * self.units[name]
        return vertices

    def joint_matrices(self, rotation: np.ndarray) -> list[np.ndarray]:
        """4x4 matrices of neck 1-3 and head for a total rotation vector (rad)."""
        matrices = []
        current = np.eye(4)
        for share, joint in zip(JOINT_SHARES, self.joints, strict=True):
            turn = np.eye(4)
            turn[:3, :3] = Rotation.from_rotvec(np.asarray(rotation) * share).as_matrix()
            turn[:3, 3] = joint - turn[:3, :3] @ joint
            current = current @ turn
            matrices.append(current)
        return matrices

    def pose(self, vertices: np.ndarray, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn the head; returns posed vertices [N, 3] and head-to-world [4, 4]."""
        matrices = self.joint_matrices(rotation)
        posed = self.weights[:, :1] * vertices
        for column, matrix in enumerate(matrices, start=1):
            moved = vertices @ matrix[:3, :3].T + matrix[:3, 3]
            posed += self.weights[:, column : column + 1] * moved
        return posed, matrices[-1]

    def jaw_matrix(self, expressed: np.ndarray) -> np.ndarray:
        """Rigid 4x4 motion of the lower teeth in head coordinates (Kabsch fit)."""
        rest, moved = self.rest[LOWER_TEETH], expressed[LOWER_TEETH]
        rest_centre, moved_centre = rest.mean(0), moved.mean(0)
        u, _, vt = np.linalg.svd((rest - rest_centre).T @ (moved - moved_centre))
        sign = np.sign(np.linalg.det(u @ vt))
        matrix = np.eye(4)
        matrix[:3, :3] = (u @ np.diag([1, 1, sign]) @ vt).T
        matrix[:3, 3] = moved_centre - matrix[:3, :3] @ rest_centre
        return matrix


def eye_matrix(eye: Eyeball, gaze: np.ndarray) -> np.ndarray:
    """4x4 placing an eyeball that looks along +z; gaze is (yaw, pitch) in rad, head frame."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xy", [-gaze[1], gaze[0]]).as_matrix()
    matrix[:3, 3] = eye.centre
    return matrix


def lip_opening_mm(vertices: np.ndarray) -> float:
    """Distance of the inner lips on the mid-line in millimetres."""
    upper, lower = LIP_PAIR
    return float(1000 * np.linalg.norm(vertices[upper] - vertices[lower]))


def triangles(faces: list[list[int]]) -> np.ndarray:
    """Fan-triangulate polygons into [T, 3]."""
    return np.array([(f[0], f[i], f[i + 1]) for f in faces for i in range(1, len(f) - 1)])


def vertex_normals(vertices: np.ndarray, tris: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals [N, 3]; zero where no triangle touches the vertex."""
    a, b, c = (vertices[tris[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, tris[:, k], face_normals)
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)


def _fit_sphere(points: np.ndarray) -> Eyeball:
    """Least-squares sphere through points."""
    system = np.c_[2 * points, np.ones(len(points))]
    solution = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    centre = solution[:3]
    return Eyeball(centre, float(np.sqrt(solution[3] + centre @ centre)))
