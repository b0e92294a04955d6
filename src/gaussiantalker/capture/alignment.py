"""Head poses made exact by the picture itself.

Landmark networks draw faces towards a usual pose: on a head whose motion is known, nods came out at little more than
half their size. Here the skin decides. A texture of the face, the mean of many frames on the fitted shape, is aligned
with every frame (Lucas and Kanade 1981, on band-passed pictures, so that light and shade matter little); texture and
poses sharpen each other in turn.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from gaussiantalker.capture.arrays import ArrayReader, spread
from gaussiantalker.capture.face_mesh import LIDS, FaceMesh
from gaussiantalker.capture.pose import Motion, Prior, left_jacobian, smooth_solve
from gaussiantalker.capture.surface import on_mesh

_POINTS = 2400
_TEXTURE_FRAMES = 120
_ROUNDS = 4
_STEPS = 4
_FINE, _COARSE = 0.012, 0.12  # the band that is kept, in inter-ocular distances on the picture
_MEMORY = 100e6
_LEAST_FACING = 0.25
_INDEPENDENT = 0.2  # share of the points that counts: neighbours in a band-passed picture say the same
_MOST_TURN, _MOST_SHIFT = 0.15, 0.15  # further from the landmarks' pose, the picture is not believed


def align_motion(frames: ArrayReader, found: np.ndarray, motion: Motion, mesh: FaceMesh) -> tuple[Motion, dict]:
    """The motion with its poses refined on the pictures, and how much steadier the face's texture became.

    Frames without a face keep what the motion around them says; where a picture disagrees wildly with the landmarks,
    as behind a hand, the landmarks are kept.
    """
    aligner = _Aligner(frames, motion, mesh)
    seen = np.flatnonzero(found)
    pose = np.c_[Rotation.from_matrix(motion.rotations).as_rotvec(), motion.translations]
    blur = aligner.learn_texture(seen[spread(len(seen), _TEXTURE_FRAMES)], pose)
    normal, right, aligned = np.zeros((len(pose), 6, 6)), np.zeros((len(pose), 6)), pose.copy()
    for part in aligner.chunks(seen):
        aligned[part], normal[part], right[part] = aligner.fit(aligner.stack(part, pose[part]), pose[part])
    away = np.abs(aligned - pose)
    wild = found & ((away[:, :3].max(1) > _MOST_TURN) | (away[:, 3:5].max(1) > _MOST_SHIFT))
    aligned[wild], right[wild] = pose[wild], 0
    normal[wild] = np.diag([0.02**-2] * 5 + [0.1**-2])
    prior = Prior()
    stiffness = 1 / np.array([prior.turn] * 3 + [prior.shift] * 2 + [prior.depth]) ** 2
    aligned += smooth_solve(normal, right, aligned, stiffness)
    rotations = Rotation.from_rotvec(aligned[:, :3]).as_matrix()
    turned = np.degrees(np.abs(aligned[:, :3] - pose[:, :3])).mean()
    facts = {
        "texture_blur": blur,
        "mean_turn_degrees": round(float(turned), 3),
        "frames_not_aligned": np.flatnonzero(wild).tolist(),
    }
    return replace(motion, rotations=rotations, translations=aligned[:, 3:]), facts


class _Aligner:
    """Points on the upper face, their texture, and the Gauss-Newton steps that fit poses to it."""

    def __init__(self, frames: ArrayReader, motion: Motion, mesh: FaceMesh) -> None:
        self._frames, self._focal, self._size = frames, motion.focal, frames.shape[1]
        self._unit = motion.focal / float(np.median(motion.translations[:, 2]))
        moving = mesh.vertices[:, 1] > mesh.vertices[2, 1]
        moving[np.array(LIDS).ravel()] = True
        still = mesh.triangles[~moving[mesh.triangles].any(1)]
        self._points, self._normals = on_mesh(motion.shape, still, _POINTS)
        self._texture = np.zeros(_POINTS, np.float32)
        self._variance = np.ones(_POINTS, np.float32)

    def chunks(self, index: np.ndarray) -> Iterator[np.ndarray]:
        """Frames in portions whose pictures fit into memory."""
        rows = max(int(_MEMORY / (12 * self._size**2)), 8)
        for start in range(0, len(index), rows):
            yield index[start : start + rows]

    def learn_texture(self, chosen: np.ndarray, pose: np.ndarray) -> list[float]:
        """Mean and variance of each point's brightness over chosen frames, sharpened by aligning them to it.

        Returns the typical deviation from the texture at the start and at the end, in grey levels.
        """
        pose, blur = pose.copy(), []
        for k in range(_ROUNDS):
            sums = np.zeros((3, _POINTS))
            for part in self.chunks(chosen):
                stack = self.stack(part, pose[part])
                if k:
                    pose[part] = self.fit(stack, pose[part])[0]
                (value, _, _), weight, _, _ = self._look(stack, pose[part])
                sums += weight.sum(0), (weight * value).sum(0), (weight * value**2).sum(0)
            mean, square = sums[1:] / np.maximum(sums[0], 1e-6)
            self._texture = mean.astype(np.float32)
            self._variance = np.maximum(square - mean**2, 0.25).astype(np.float32)
            blur.append(round(float(np.sqrt(np.median(self._variance))), 3))
        return [blur[0], blur[-1]]

    def stack(self, part: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Band-passed brightness and its slopes along x and y [3, n, h, w] around the face, and its corner [2]."""
        pixels = self._place(pose)[2].reshape(-1, 2)
        margin = 0.25 * self._unit
        low = np.clip(np.floor(pixels.min(0) - margin), 0, self._size - 8).astype(int)
        high = np.clip(np.ceil(pixels.max(0) + margin), low + 8, self._size).astype(int)
        out = np.empty((3, len(part), *(high - low)[::-1]), np.float32)
        for k, index in enumerate(part):
            face = self._frames[int(index)][low[1] : high[1], low[0] : high[0]].astype(np.float32).mean(-1)
            fine, coarse = (ndimage.gaussian_filter(face, s * self._unit) for s in (_FINE, _COARSE))
            out[0, k] = fine - coarse
            out[2, k], out[1, k] = np.gradient(out[0, k])
        return out, low

    def _place(self, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Turned points, points in the camera [n, P, 3], pixel indices [n, P, 2] and weights by facing [n, P]."""
        rotation = np.swapaxes(Rotation.from_rotvec(pose[:, :3]).as_matrix(), 1, 2)
        turned = self._points @ rotation
        camera = turned + pose[:, None, 3:]
        facing = -((self._normals @ rotation) * camera).sum(-1) / np.linalg.norm(camera, axis=-1)
        weight = np.clip((facing - _LEAST_FACING) / (1 - _LEAST_FACING), 0, 1)
        pixels = self._focal * camera[..., :2] / camera[..., 2:] + self._size / 2 - 0.5
        return turned, camera, pixels, weight

    def _look(self, stack: tuple[np.ndarray, np.ndarray], pose: np.ndarray) -> tuple[np.ndarray, ...]:
        """What the points show [3, n, P], their weights [n, P], turned points and points in the camera [n, P, 3]."""
        turned, camera, pixels, weight = self._place(pose)
        return _bilinear(stack[0], pixels - stack[1]), weight, turned, camera

    def fit(
        self, stack: tuple[np.ndarray, np.ndarray], pose: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Poses [n, 6] fitted to the texture, with the normal equations [n, 6, 6] and [n, 6] left at the end."""
        pose = pose.copy()
        for _ in range(_STEPS):
            normal, right = self._equations(stack, pose)
            damping = 1e-4 * np.diagonal(normal, axis1=1, axis2=2)[..., None] * np.eye(6) + 1e-6 * np.eye(6)
            pose += np.linalg.solve(normal + damping, right[..., None])[..., 0]
        normal, right = self._equations(stack, pose)
        return pose, _INDEPENDENT * normal, _INDEPENDENT * right

    def _equations(
        self, stack: tuple[np.ndarray, np.ndarray], pose: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        (value, by_x, by_y), weight, turned, camera = self._look(stack, pose)
        gain = (weight * value * self._texture).sum(-1) / np.maximum((weight * self._texture**2).sum(-1), 1e-6)
        residual = value - np.clip(gain, 0.5, 2)[:, None] * self._texture
        weight = weight / self._variance / (1 + residual**2 / (9 * self._variance)) ** 2
        depth = camera[..., 2]
        x, y = by_x * self._focal / depth, by_y * self._focal / depth
        slope = np.stack([x, y, -(x * camera[..., 0] + y * camera[..., 1]) / depth], axis=-1)
        by_turn = np.cross(turned, slope) @ left_jacobian(pose[:, :3])
        jacobian = np.concatenate([by_turn, slope], axis=-1)
        weighted = jacobian * weight[..., None]
        return np.swapaxes(weighted, 1, 2) @ jacobian, -(weighted * residual[..., None]).sum(1)


def _bilinear(stack: np.ndarray, pixels: np.ndarray) -> np.ndarray:  # [C, n, P]
    """Values of pictures [C, n, H, W] at pixel indices [n, P, 2]; the edge is held."""
    height, width = stack.shape[-2:]
    pixels = np.clip(pixels, 0, np.array([width, height]) - 1.001)
    low = pixels.astype(np.int64)
    x, y = np.moveaxis((pixels - low).astype(np.float32), -1, 0)
    flat = stack.reshape(len(stack), -1)
    base = (np.arange(stack.shape[1])[:, None] * height + low[..., 1]) * width + low[..., 0]
    top = flat[:, base] * (1 - x) + flat[:, base + 1] * x
    bottom = flat[:, base + width] * (1 - x) + flat[:, base + width + 1] * x
    return top * (1 - y) + bottom * y
