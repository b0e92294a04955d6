"""Head pose, head shape and focal length, fitted to the landmarks of a whole clip at once.

Unknown are one focal length, one rigid shape of the face and a rigid motion per frame. The poses of all frames are
solved together by Gauss-Newton with a prior on their second differences (a banded system, linear in the number of
frames), in turn with the shape; what the landmarks of a single frame leave open is so settled by all the others. The
prior's tails are heavy: a head rests, and then moves at once.
Robust weights (Geman and McClure 1987) and a variance per point keep expression out of the pose.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from gaussiantalker.capture.arrays import bridge
from gaussiantalker.capture.face_mesh import MESH_POINTS, OUTER_EYE_CORNERS, FaceMesh

_CHUNK = 1000
_POINTS = 140  # of the rigid points, more say nothing new
_FOCAL_FRAMES = 120
_PARAMETERS = 6
_ROBUST = 4.0  # residuals beyond this many standard deviations lose their weight
_SHAPE_VIEWS = 80.0  # landmarks of neighbouring frames err alike: a clip counts as this many independent views
_BEND = (1.0, -2.0, 1.0)
_TAIL, _TAIL_ROUNDS = 3.0, 4  # degrees of freedom of second differences; the films of docs/capture.md chose them
_FOCAL_RATIOS = (1.2, 1.6, 2.1, 2.8, 3.8)
_USUAL_FOCAL = 2.1  # focal length over picture width of a head-and-shoulders crop, when the clip cannot tell


@dataclass(frozen=True)
class FilmedHead:
    """A head in front of a camera: one shape, one focal length, a pose per frame (world-to-camera of the head)."""

    focal: float  # pixels
    shape: np.ndarray  # [468, 3] head units
    rotations: np.ndarray  # [N, 3, 3]
    translations: np.ndarray  # [N, 3] head units
    residual: np.ndarray  # [N] root mean square over the rigid points, in pixels


@dataclass(frozen=True)
class Prior:
    """Standard deviations; lengths are relative to the face, so that resolution does not matter."""

    noise: float = 0.008  # of a landmark, in inter-ocular distances on the picture
    turn: float = 0.001  # second difference of the rotation at rest, radians a frame^2
    shift: float = 0.001  # second difference of the translation, head units a frame^2
    depth: float = 0.002  # the same along the line of sight
    shape: float = 0.02  # of a point of the face against the canonical one, head units


def fit_filmed_head(
    landmarks: np.ndarray,
    found: np.ndarray,
    mesh: FaceMesh,
    size: int,
    prior: Prior = Prior(),
    joins: Sequence[int] = (),
) -> FilmedHead:
    """Fits landmarks [N, >=468, 2] of square pictures of `size` pixels; frames not `found` [N] count for nothing.

    Frames without a face get the pose that continues the motion around them. `joins` are the first frames of parts
    that were joined: there the head may jump.
    """
    seen = np.flatnonzero(found)
    few = seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), _FOCAL_FRAMES)).astype(int))]
    loose = replace(prior, turn=1.0, shift=1.0, depth=3.0)
    costs = []
    for ratio in _FOCAL_RATIOS:
        trial = _Solver(landmarks[few], found[few], mesh, size, ratio * size, loose)
        trial.solve(rounds=6)
        costs.append(trial.cost())
    focal = _focal_from(np.array(costs)) * size
    solver = _Solver(landmarks, found, mesh, size, focal, prior)
    solver.joins = joins
    solver.solve(rounds=6)
    solver.complete()
    return solver.motion()


def place_shape(given: FilmedHead, landmarks: np.ndarray, found: np.ndarray, mesh: FaceMesh, size: int) -> FilmedHead:
    """The given poses and focal length, in the unit, origin and front of this package's head.

    The shape is triangulated from the landmarks under the given poses, and turned the way the canonical face looks.
    """
    solver = _Solver(landmarks, found, mesh, size, given.focal, replace(Prior(), shape=10.0))
    scale = given.focal / solver.unit / float(np.median(given.translations[found, 2]))
    solver.pose = np.c_[Rotation.from_matrix(given.rotations).as_rotvec(), given.translations * scale]
    solver.pose[~found] = solver.pose[found][0]
    solver.complete(rounds=8)
    weight = mesh.rigid + 1e-3
    shape, usual = (v - np.average(v, axis=0, weights=weight) for v in (solver.shape, mesh.vertices))
    turn = Rotation.align_vectors(usual, shape, weight)[0]
    solver.shape = turn.apply(solver.shape)
    rotations = given.rotations @ turn.as_matrix().T
    solver.pose = bridge(np.c_[Rotation.from_matrix(rotations).as_rotvec(), given.translations * scale], found)
    return solver.motion()


def _focal_from(costs: np.ndarray) -> float:
    """The focal ratio of least cost, drawn to the usual one as far as the costs do not tell them apart."""
    ratios = np.log(_FOCAL_RATIOS)
    relative = costs / costs.min() - 1
    fine = np.linspace(ratios[0], ratios[-1], 200)
    doubt = 0.3 * (fine - np.log(_USUAL_FOCAL)) ** 2
    return float(np.exp(fine[np.argmin(np.interp(fine, ratios, relative) + doubt)]))


class _Solver:
    """Alternates poses and shape for one focal length. Rotations are kept as rotation vectors."""

    def __init__(
        self, landmarks: np.ndarray, found: np.ndarray, mesh: FaceMesh, size: int, focal: float, prior: Prior
    ) -> None:
        self.observed = landmarks[:, :MESH_POINTS, :2]
        self.found, self.mesh, self.focal, self.prior = found.astype(float), mesh, focal, prior
        self.centre = size / 2
        rigid = np.flatnonzero(mesh.rigid)
        self.used = rigid[:: max(len(rigid) // _POINTS, 1)]
        eyes = self.observed[:, OUTER_EYE_CORNERS[1]] - self.observed[:, OUTER_EYE_CORNERS[0]]
        self.unit = float(np.percentile(np.linalg.norm(eyes[found], axis=-1), 75))
        self.sigma = prior.noise * self.unit
        self.joins: Sequence[int] = ()
        self.shape = mesh.vertices.copy()
        self.point_weight = mesh.rigid.copy()
        self._start()

    def _start(self) -> None:
        """Poses of an affine camera, from linear least squares on the canonical face."""
        source = np.c_[self.shape[self.used], np.ones(len(self.used))] * self.point_weight[self.used, None]
        inverse = np.linalg.pinv(source) * self.point_weight[self.used]
        affine = np.einsum("ip,npk->nki", inverse, self.observed[:, self.used] - self.centre)
        scale = np.sqrt(np.linalg.norm(affine[:, 0, :3], axis=-1) * np.linalg.norm(affine[:, 1, :3], axis=-1))
        rows = affine[:, :, :3] / scale[:, None, None]
        u, _, v = np.linalg.svd(np.concatenate([rows, np.cross(rows[:, :1], rows[:, 1:])], axis=1))
        turned = (
            u
            @ (np.array([1, 1, 0])[:, None] * np.eye(3) + np.linalg.det(u @ v)[:, None, None] * np.diag([0, 0, 1]))
            @ v
        )
        depth = self.focal / scale
        moved = np.concatenate([affine[:, :, 3] * (depth / self.focal)[:, None], depth[:, None]], axis=1)
        self.pose = bridge(np.c_[Rotation.from_matrix(turned).as_rotvec(), moved], self.found > 0)

    def solve(self, rounds: int) -> None:
        for k in range(rounds):
            for _ in range(2):
                self._solve_poses()
            self._solve_shape(self.used)
            if k >= 1:
                self._weigh_points()
        self._solve_poses()

    def complete(self, rounds: int = 3) -> None:
        """The shape of all points, also those that had no say about the poses."""
        for _ in range(rounds):
            self._solve_shape(np.arange(MESH_POINTS))

    def _frames(self) -> Iterator[slice]:
        for start in range(0, len(self.pose), _CHUNK):
            yield slice(start, min(start + _CHUNK, len(self.pose)))

    def _project(self, frames: slice, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Turned points, points in the camera [n, P, 3], residuals [n, P, 2] and robust weights [n, P]."""
        turned = self.shape[points] @ np.swapaxes(Rotation.from_rotvec(self.pose[frames, :3]).as_matrix(), 1, 2)
        camera = turned + self.pose[frames, None, 3:]
        residual = self.focal * camera[..., :2] / camera[..., 2:] + self.centre - self.observed[frames][:, points]
        square = (residual**2).sum(-1) / self.sigma**2
        robust = 1 / (1 + square / _ROBUST**2) ** 2
        return turned, camera, residual, robust * self.found[frames, None]

    def _derivative(self, camera: np.ndarray) -> np.ndarray:  # [n, P, 2, 3]
        """Of pixels by camera coordinates."""
        out = np.zeros((*camera.shape[:2], 2, 3))
        out[..., 0, 0] = out[..., 1, 1] = self.focal / camera[..., 2]
        out[..., 2] = -self.focal * camera[..., :2] / camera[..., 2:] ** 2
        return out

    def _solve_poses(self) -> None:
        """One Gauss-Newton step for the poses of all frames."""
        count = len(self.pose)
        normal, right = np.zeros((count, 6, 6)), np.zeros((count, 6))
        for frames in self._frames():
            turned, camera, residual, robust = self._project(frames, self.used)
            weight = robust * self.point_weight[self.used] / self.sigma**2
            by_camera = self._derivative(camera)
            by_turn = -by_camera @ _skew(turned) @ left_jacobian(self.pose[frames, :3])[:, None]
            jacobian = np.concatenate([by_turn, by_camera], axis=-1)
            weighted = jacobian * weight[..., None, None]
            flat = (len(residual), -1, _PARAMETERS)
            normal[frames] = np.swapaxes(weighted.reshape(flat), 1, 2) @ jacobian.reshape(flat)
            right[frames] = -np.einsum("npki,npk->ni", weighted, residual)
        self.pose += smooth_solve(normal, right, self.pose, self._stiffness(), self.joins)

    def _stiffness(self) -> np.ndarray:  # [6]
        p = self.prior
        return 1 / np.array([p.turn, p.turn, p.turn, p.shift, p.shift, p.depth]) ** 2

    def _solve_shape(self, points: np.ndarray) -> None:
        """One Gauss-Newton step for these points of the face, poses held."""
        normal, right = np.zeros((len(points), 3, 3)), np.zeros((len(points), 3))
        for frames in self._frames():
            _, camera, residual, robust = self._project(frames, points)
            rotation = Rotation.from_rotvec(self.pose[frames, :3]).as_matrix()
            jacobian = self._derivative(camera) @ rotation[:, None]
            weighted = jacobian * robust[..., None, None]
            normal += np.einsum("npki,npkj->pij", weighted, jacobian)
            right -= np.einsum("npki,npk->pi", weighted, residual)
        share = min(1.0, _SHAPE_VIEWS / self.found.sum()) / self.sigma**2
        tie = 1 / self.prior.shape**2
        normal = normal * share + tie * np.eye(3)
        right = right * share + tie * (self.mesh.vertices - self.shape)[points]
        self.shape[points] += np.linalg.solve(normal, right[..., None])[..., 0]

    def _weigh_points(self) -> None:
        """Points that do not move with the skull, in this clip, get less to say about it."""
        squares = np.zeros(len(self.used))
        for frames in self._frames():
            _, _, residual, robust = self._project(frames, self.used)
            squares += ((residual**2).sum(-1) * robust).sum(0)
        variance = squares / (2 * self.found.sum())
        self.point_weight[self.used] = self.mesh.rigid[self.used] / (1 + variance / self.sigma**2)

    def cost(self) -> float:
        """Weighted mean square of the residuals, with the canonical weights, so that focal lengths compare."""
        total = 0.0
        for frames in self._frames():
            _, _, residual, robust = self._project(frames, self.used)
            saturating = 1 - np.sqrt(robust)
            total += (saturating * self.mesh.rigid[self.used] * self.found[frames, None]).sum()
        return total

    def motion(self) -> FilmedHead:
        """The result, with the outer eye corners one unit apart and the origin between them."""
        left, right = self.shape[list(OUTER_EYE_CORNERS)]
        origin, scale = (left + right) / 2, 1 / np.linalg.norm(right - left)
        rotations = Rotation.from_rotvec(self.pose[:, :3]).as_matrix()
        translations = (self.pose[:, 3:] + rotations @ origin) * scale
        residuals = []
        for frames in self._frames():
            _, _, residual, _ = self._project(frames, self.used)
            square = ((residual**2).sum(-1) * self.point_weight[self.used]).sum(-1)
            residuals.append(np.sqrt(square / self.point_weight[self.used].sum()))
        shape = (self.shape - origin) * scale
        return FilmedHead(self.focal, shape, rotations, translations, np.concatenate(residuals))


def _skew(v: np.ndarray) -> np.ndarray:  # [..., 3] -> [..., 3, 3]
    out = np.zeros((*v.shape, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    return out - np.swapaxes(out, -1, -2)


def left_jacobian(r: np.ndarray) -> np.ndarray:  # [N, 3] -> [N, 3, 3]
    """How a rotation moves when its rotation vector does: d exp(r) = [J dr]x exp(r)."""
    angle = np.linalg.norm(r, axis=-1)[:, None, None] + 1e-9
    cross = _skew(r)
    return np.eye(3) + (1 - np.cos(angle)) / angle**2 * cross + (angle - np.sin(angle)) / angle**3 * cross @ cross


def smooth_solve(
    normal: np.ndarray, right: np.ndarray, pose: np.ndarray, stiffness: np.ndarray, joins: Sequence[int] = ()
) -> np.ndarray:
    """Steps [N, 6] that solve normal equations [N, 6, 6] with second differences of pose + step held small, but for
    those over `joins`, the first frames of joined parts.

    Turns and shifts that are larger than `stiffness` [6] expects are held the less the larger they are (weights of
    Student's t, found in rounds), for heads rest and then move at once.
    """
    count = len(pose)
    own = np.zeros((2 * _PARAMETERS + 1, count, _PARAMETERS))  # the k-th diagonal below the main one, by column
    for k in range(_PARAMETERS):
        for column in range(_PARAMETERS - k):
            own[k, :, column] = normal[:, column + k, column]
    own[0] += 1e-9 * (1 + own[0].max())
    steps, bends = np.zeros_like(pose), _bends(pose)
    for _ in range(_TAIL_ROUNDS):
        held = _held(pose + steps, stiffness)
        for join in joins:
            held[max(join - 2, 0) : join] = 0
        band, pull = own.copy(), right.copy()
        for a in range(3):
            pull[a : count - 2 + a] -= _BEND[a] * held * bends
            for b in range(a + 1):
                band[(a - b) * _PARAMETERS, b : count - 2 + b] += _BEND[a] * _BEND[b] * held
        steps = solveh_banded(band.reshape(len(band), -1), pull.ravel(), lower=True).reshape(count, _PARAMETERS)
    return steps


def _bends(pose: np.ndarray) -> np.ndarray:
    """Second differences [N - 2, 6] of poses [N, 6]."""
    return np.diff(pose, 2, axis=0)


def _held(pose: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
    """How much each second difference of poses [N, 6] is to cost, [N - 2, 6]."""
    surprise = (_bends(pose) ** 2 * stiffness).reshape(-1, 2, 3).mean(axis=2)
    return stiffness * ((_TAIL + 1) / (_TAIL + surprise)).repeat(3, axis=1)
