"""The morphable head of one clip: one identity for all frames, an expression for each.

The landmarks of the whole clip under its poses say, for each point of the face, where it lies and how surely in each
direction. The identity is the most probable one under them; what it cannot explain is kept as an offset of each
landmark and spread smoothly over the head. Expressions are fitted in the picture with a prior at the landmarker's own
scores and small changes from frame to frame; one unit at a time over all frames is a banded system.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import solveh_banded
from scipy.spatial import KDTree

from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.capture.eyes import eyeballs, gaze_of
from gaussiantalker.capture.face_mesh import OUTLINE
from gaussiantalker.capture.morphable import MorphableHead, load_head
from gaussiantalker.capture.pose import FilmedHead
from gaussiantalker.media.files import read_arrays
from gaussiantalker.progress import Progress

_CHUNK = 2000  # frames whose expressions are solved together
_TOGETHER = 32  # frames whose slopes fit into a processor's cache
_NOISE = 0.008  # of a landmark, in inter-ocular distances on the picture
_ROBUST = 4.0
_OFFSET = 0.03  # standard deviation of a landmark's own offset, head units
_VIEWS = 80.0  # landmarks of neighbouring frames err alike: a clip counts as this many independent views
_SCORE, _CHANGE = 0.2, 0.06  # standard deviations of an expression against its score, and from frame to frame
_INDEPENDENT = 0.1  # share of the landmarks that counts within a frame: neighbours err alike
_ROUNDS, _SWEEPS = 3, 4
_REACH = 0.25  # over which an offset is spread, head units


def make_head(folder: Path, model: Path, camera: dict[str, Any], progress: Progress) -> dict:
    """Writes head.npz from tracking.npz: the person's head of usual expression, expressions and gaze per frame."""
    progress.stage("head shape", 1)
    tracking = read_arrays(folder / "tracking.npz")
    rotations, translations = (tracking[name] for name in ("rotations", "translations"))
    still = np.zeros(len(tracking["found"]))
    motion = FilmedHead(camera["focal"], tracking["vertices"], rotations, translations, still)
    head = load_head(model)
    landmarks, scores, found = (tracking[name] for name in ("landmarks", "blendshapes", "found"))
    fitted = fit_head(head, motion, landmarks, scores, found, camera["width"])
    spheres = eyeballs(head, fitted.neutral)
    gaze = gaze_of(landmarks, scores, tracking["blink"], motion, spheres, camera["width"])
    np.savez(
        folder / "head.npz",
        head_vertices=fitted.vertices.astype(np.float32),
        head_triangles=head.triangles,
        head_regions=head.regions,
        head_units=head.expression.astype(np.float16),
        identity=fitted.identity.astype(np.float32),
        expression=fitted.expression.astype(np.float32),
        usual_expression=fitted.usual_expression.astype(np.float32),
        gaze=gaze,
        residual=fitted.residual.astype(np.float32),
    )
    progress.update(1)
    ranges = np.percentile(gaze, [1, 99], axis=0).round(1).T.tolist()
    return {
        "reprojection_px": round(float(fitted.residual[found].mean()), 3),
        "identity": round(float(np.sqrt((fitted.identity**2).mean())), 2),
        "gaze_ranges": dict(zip(("yaw", "pitch"), ranges, strict=True)),
        "expression_names": list(head.expression_names),
    }


@dataclass(frozen=True)
class _FittedHead:
    """A person's head in a clip."""

    vertices: np.ndarray  # [V, 3] of the usual expression, head units
    neutral: np.ndarray  # [V, 3] without expression
    expression: np.ndarray  # [N, E] in [0, 1]
    usual_expression: np.ndarray  # [E], the mean over the frames with a face
    identity: np.ndarray  # [K] in standard deviations
    residual: np.ndarray  # [N] root mean square over the landmarks, pixels


def fit_head(
    head: MorphableHead, motion: FilmedHead, landmarks: np.ndarray, scores: np.ndarray, found: np.ndarray, size: int
) -> _FittedHead:
    """Fits landmarks [N, 478, 2] under the poses of a motion; `scores` [N, 52] are the landmarker's blendshapes."""
    solver = _Solver(head, motion, landmarks, scores, found, size)
    for _ in range(_ROUNDS):
        solver.solve_identity()
        solver.solve_expression()
    return solver.result()


class _Solver:
    """Alternates identity and expression, both by Gauss-Newton on the landmarks' robust residuals."""

    def __init__(
        self,
        head: MorphableHead,
        motion: FilmedHead,
        landmarks: np.ndarray,
        scores: np.ndarray,
        found: np.ndarray,
        size: int,
    ) -> None:
        self._head, self._motion, self._found = head, motion, found.astype(float)
        self._observed, self._centre = landmarks[:, head.landmarks, :2], size / 2
        self._sigma = _NOISE * motion.focal / float(np.median(motion.translations[:, 2]))
        self._mean = head.at_landmarks(head.vertices).astype(np.float64)
        self._shapes = head.at_landmarks(head.identity).astype(np.float64)
        self._units = head.at_landmarks(head.expression).astype(np.float64)
        self._units_by_point = np.ascontiguousarray(np.moveaxis(self._units, 0, 2), np.float32)  # [L, 3, E]
        self._trusted = np.where(np.isin(head.landmarks, OUTLINE), 0.1, 1.0)
        column = {name: k for k, name in enumerate(NAMES)}
        known = np.array([column.get(name, -1) for name in head.expression_names])
        self._scores = np.where(known >= 0, scores[:, known], 0.0)
        self.identity = np.zeros(len(head.identity))
        self._points = self._mean.copy()
        self._expression = self._scores.copy()

    def _frames(self, length: int, start: int = 0, stop: int | None = None) -> Iterator[slice]:
        stop = len(self._found) if stop is None else stop
        for first in range(start, stop, length):
            yield slice(first, min(first + length, stop))

    def _look(self, frames: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slopes of the pixels [n, L, 2, 3] by the points of the head, residuals [n, L, 2] and weights [n, L]."""
        rotations = self._motion.rotations[frames]
        shape = self._points + np.tensordot(self._expression[frames], self._units, 1)
        camera = shape @ np.swapaxes(rotations, 1, 2) + self._motion.translations[frames, None]
        focal, depth = self._motion.focal, camera[..., 2]
        residual = focal * camera[..., :2] / depth[..., None] + self._centre - self._observed[frames]
        slope = np.zeros((*depth.shape, 2, 3))
        slope[..., 0, 0] = slope[..., 1, 1] = focal / depth
        slope[..., 2] = -focal * camera[..., :2] / depth[..., None] ** 2
        square = (residual**2).sum(-1) / self._sigma**2
        robust = self._trusted / (1 + square / _ROBUST**2) ** 2 / self._sigma**2
        return slope @ rotations[:, None], residual, robust * self._found[frames, None]

    def solve_identity(self) -> None:
        """One step for the identity and the landmarks' offsets, which the identity's posterior leaves over."""
        count = len(self._mean)
        normal, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
        for frames in self._frames(_TOGETHER):
            slope, residual, weight = self._look(frames)
            weighted = np.swapaxes(slope * weight[..., None, None], 2, 3)
            normal += (weighted @ slope).sum(0)
            right -= (weighted @ residual[..., None])[..., 0].sum(0)
        share = min(1.0, _VIEWS / self._found.sum())
        normal, right = normal * share, right * share
        right += np.einsum("lij,lj->li", normal, self._points - self._mean)
        # With the offsets integrated out, each landmark's information is that of its place and of its offset in series.
        series = np.linalg.inv(np.eye(3) + normal * _OFFSET**2)
        directions = np.swapaxes(self._shapes, 0, 1)  # [L, K, 3]
        thin = _INDEPENDENT * np.einsum("lka,lab,lbc->lkc", directions, series, normal)
        system = np.einsum("lkc,ljc->kj", thin, directions) + np.eye(len(self.identity))
        pull = _INDEPENDENT * np.einsum("lka,lab,lb->k", directions, series, right)
        self.identity = np.linalg.solve(system, pull)
        likely = np.tensordot(self.identity, self._shapes, 1)
        tie = np.eye(3) / _OFFSET**2
        self._points = self._mean + np.linalg.solve(normal + tie, (right + likely / _OFFSET**2)[..., None])[..., 0]

    def solve_expression(self) -> None:
        """One step for the expressions of all frames, portion by portion; each goes on from the one before."""
        for frames in self._frames(_CHUNK):
            equations = [self._equations(part) for part in self._frames(_TOGETHER, frames.start, frames.stop)]
            normal, right = (np.concatenate(rows) for rows in zip(*equations, strict=True))
            before = self._expression[frames.start - 1] if frames.start else None
            self._expression[frames] = _smooth_units(normal, right, self._expression[frames], before)

    def _equations(self, frames: slice) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations [n, E, E] and [n, E] of the expressions, with the scores as what is expected of them."""
        count = len(self._units)
        slope, residual, weight = self._look(frames)
        # What is summed is of like size, and single precision halves the work.
        root = np.sqrt(_INDEPENDENT * weight)[..., None]
        slope = (slope * root[..., None]).astype(np.float32)
        jacobian = (slope @ self._units_by_point).reshape(len(slope), -1, count)
        target = (residual * root).astype(np.float32).reshape(len(slope), -1, 1)
        across = np.swapaxes(jacobian, 1, 2)
        normal = (across @ jacobian).astype(np.float64)
        right = np.einsum("nij,nj->ni", normal, self._expression[frames]) - (across @ target)[..., 0]
        index = np.arange(count)
        normal[:, index, index] += 1 / _SCORE**2
        return normal, right + self._scores[frames] / _SCORE**2

    def result(self) -> _FittedHead:
        residuals = []
        for frames in self._frames(_TOGETHER):
            _, residual, _ = self._look(frames)
            residuals.append(np.sqrt(((residual**2).sum(-1) * self._trusted).sum(-1) / self._trusted.sum()))
        head = self._head
        neutral = head.vertices + np.tensordot(self.identity, head.identity, 1)
        neutral = neutral + _spread_offsets(neutral, head.at_landmarks(neutral), self._points)
        usual = self._expression[self._found > 0].mean(0)
        vertices = neutral + np.tensordot(usual, head.expression, 1)
        return _FittedHead(vertices, neutral, self._expression, usual, self.identity, np.concatenate(residuals))


def _smooth_units(
    normal: np.ndarray, right: np.ndarray, units: np.ndarray, before: np.ndarray | None
) -> np.ndarray:  # [n, E]
    """Weights in [0, 1] for the normal equations [n, E, E] and [n, E], with small changes along n."""
    units, stiffness = units.copy(), 1 / _CHANGE**2
    count = len(units)
    band = np.zeros((2, count))
    band[1, :-1] = -stiffness
    chain = np.full(count, 2 * stiffness)
    chain[-1] -= stiffness
    if before is None:
        chain[0] -= stiffness
    for _ in range(_SWEEPS):
        for k in range(units.shape[1]):
            band[0] = normal[:, k, k] + chain
            pull = right[:, k] - (normal[:, k] * units).sum(1) + normal[:, k, k] * units[:, k]
            if before is not None:
                pull[0] += stiffness * before[k]
            units[:, k] = np.clip(solveh_banded(band, pull, lower=True), 0, 1)
    return units


def _spread_offsets(vertices: np.ndarray, points: np.ndarray, wanted: np.ndarray) -> np.ndarray:  # [V, 3]
    """Smooth offsets of vertices that bring landmarks from their points [L, 3] to where they are wanted.

    Nadaraya and Watson's mean of the landmarks' offsets, which fades to nothing away from all of them.
    """
    offsets = wanted - points
    distance, near = KDTree(points).query(vertices, k=min(12, len(points)))
    weight = np.exp(-((distance / (_REACH / 3)) ** 2))
    fade = np.exp(-((distance[:, :1] / _REACH) ** 2))
    return (weight[..., None] * offsets[near]).sum(1) / (weight.sum(1, keepdims=True) + 1e-9) * fade
