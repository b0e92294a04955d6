"""Head poses made exact by the picture itself.

Landmark networks draw faces towards a usual pose: on a head whose motion is known, nods came out at little more than
half their size. Here the skin decides. A texture of the face, the mean of many frames on the fitted shape, is aligned
with every frame (Lucas and Kanade 1981, on band-passed pictures, so that light and shade matter little); texture and
poses sharpen each other in turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial.transform import Rotation

from gaussiantalker.capture.arrays import ArrayReader, spread
from gaussiantalker.capture.face_mesh import LIDS, FaceMesh
from gaussiantalker.capture.parallel import in_order
from gaussiantalker.capture.pose import FilmedHead, Prior, left_jacobian, smooth_solve
from gaussiantalker.geometry import on_mesh

_POINTS = 2400
_TEXTURE_FRAMES = 120
_ROUNDS = 4
_STEPS = 2
_FINE, _COARSE = 0.012, 0.12  # the band that is kept, in inter-ocular distances on the picture
_EYES_APART = 60  # pixels that are enough: where the outer eye corners are twice as far apart, half as many are used
_TOGETHER = 32  # frames in one piece of work
_LEAST_FACING = 0.25
_INDEPENDENT = 0.2  # share of the points that counts: neighbours in a band-passed picture say the same
_MOST_TURN, _MOST_SHIFT = 0.15, 0.15  # further from the landmarks' pose, the picture is not believed
_COARSER = 4  # the lower end of the band is so smooth that every fourth pixel says it


def align_motion(
    frames: ArrayReader, found: np.ndarray, motion: FilmedHead, mesh: FaceMesh, joins: Sequence[int] = ()
) -> tuple[FilmedHead, dict]:
    """The motion with its poses refined on the pictures, and how much steadier the face's texture became.

    Frames without a face keep what the motion around them says; where a picture disagrees wildly with the landmarks,
    as behind a hand, the landmarks are kept. At `joins`, the first frames of joined parts, the head may jump.
    """
    aligner = _Aligner(frames, motion, mesh)
    seen = np.flatnonzero(found)
    pose = np.c_[Rotation.from_matrix(motion.rotations).as_rotvec(), motion.translations]
    blur = aligner.learn_texture(seen[spread(len(seen), _TEXTURE_FRAMES)], pose)
    normal, right, aligned = np.zeros((len(pose), 6, 6)), np.zeros((len(pose), 6)), pose.copy()

    def fitted(part: np.ndarray) -> tuple[np.ndarray, ...]:
        return part, *aligner.fit(aligner.stack(part, pose[part]), pose[part])

    for part, *fit in in_order(fitted, _portions(seen)):
        aligned[part], normal[part], right[part] = fit
    away = np.abs(aligned - pose)
    wild = found & ((away[:, :3].max(1) > _MOST_TURN) | (away[:, 3:5].max(1) > _MOST_SHIFT))
    aligned[wild], right[wild] = pose[wild], 0
    normal[wild] = np.diag([0.02**-2] * 5 + [0.1**-2])
    prior = Prior()
    stiffness = 1 / np.array([prior.turn] * 3 + [prior.shift] * 2 + [prior.depth]) ** 2
    aligned += smooth_solve(normal, right, aligned, stiffness, joins)
    rotations = Rotation.from_rotvec(aligned[:, :3]).as_matrix()
    turned = np.degrees(np.abs(aligned[:, :3] - pose[:, :3])).mean()
    facts = {
        "texture_blur": blur,
        "mean_turn_degrees": round(float(turned), 3),
        "frames_not_aligned": np.flatnonzero(wild).tolist(),
    }
    return replace(motion, rotations=rotations, translations=aligned[:, 3:]), facts


def _portions(index: np.ndarray) -> list[np.ndarray]:
    """Frames in pieces that are worked on together."""
    return np.split(index, range(_TOGETHER, len(index), _TOGETHER))


class _Aligner:
    """Points on the upper face, their texture, and the Gauss-Newton steps that fit poses to it."""

    def __init__(self, frames: ArrayReader, motion: FilmedHead, mesh: FaceMesh) -> None:
        self._frames, self._size = frames, frames.shape[1]
        unit = motion.focal / float(np.median(motion.translations[:, 2]))
        self._step = max(int(unit / _EYES_APART), 1)
        self._unit, self._focal = unit / self._step, motion.focal / self._step  # in pixels of every `step`-th row
        moving = mesh.vertices[:, 1] > mesh.vertices[2, 1]
        moving[np.array(LIDS).ravel()] = True
        still = mesh.triangles[~moving[mesh.triangles].any(1)]
        self._points, self._normals = on_mesh(motion.shape, still, _POINTS)
        self._texture = np.zeros(_POINTS, np.float32)
        self._variance = np.ones(_POINTS, np.float32)

    def learn_texture(self, chosen: np.ndarray, pose: np.ndarray) -> list[float]:
        """Mean and variance of each point's brightness over chosen frames, sharpened by aligning them to it.

        Returns the typical deviation from the texture at the start and at the end, in grey levels.
        """
        pose, blur = pose.copy(), []
        parts = _portions(chosen)
        stacks = list(in_order(lambda part: self.stack(part, pose[part]), parts))
        for k in range(_ROUNDS):

            def look(piece: tuple[np.ndarray, _Stack], first: bool = not k) -> np.ndarray:
                part, stack = piece
                if not first:
                    pose[part] = self.fit(stack, pose[part])[0]
                _, camera, pixels, weight = self._place(pose[part])
                value = _bilinear(stack.pictures[..., :1], pixels - stack.corner)[..., 0]
                return np.stack([weight.sum(0), (weight * value).sum(0), (weight * value**2).sum(0)])

            sums = reduce(np.add, in_order(look, zip(parts, stacks, strict=True)))
            mean, square = sums[1:] / np.maximum(sums[0], 1e-6)
            self._texture = mean.astype(np.float32)
            self._variance = np.maximum(square - mean**2, 0.25).astype(np.float32)
            blur.append(round(float(np.sqrt(np.median(self._variance))), 3))
        return [blur[0], blur[-1]]

    def stack(self, part: np.ndarray, pose: np.ndarray) -> "_Stack":
        """Band-passed brightness around the face, and its slopes."""
        pixels = self._place(pose)[2].reshape(-1, 2)
        margin, whole = 0.25 * self._unit, self._size // self._step
        low = np.clip(np.floor(pixels.min(0) - margin), 0, whole - 8).astype(int)
        high = np.clip(np.ceil(pixels.max(0) + margin), low + 8, whole).astype(int)
        out = np.empty((len(part), *(high - low)[::-1], 3), np.float32)
        left, top, right, bottom = self._step * np.r_[low, high]
        for k, index in enumerate(part):
            picture = Image.fromarray(self._frames[int(index)][top:bottom, left:right]).convert("F")
            face = np.asarray(picture.reduce(self._step))
            fine = ndimage.gaussian_filter(face, _FINE * self._unit, truncate=3)
            out[k, ..., 0] = fine - _smooth(face, _COARSE * self._unit)
            out[k, ..., 2], out[k, ..., 1] = np.gradient(out[k, ..., 0])
        return _Stack(out, low)

    def _place(self, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Turned points, points in the camera [n, P, 3], pixel indices [n, P, 2] and weights by facing [n, P]."""
        rotation = np.swapaxes(Rotation.from_rotvec(pose[:, :3]).as_matrix(), 1, 2)
        turned = self._points @ rotation
        camera = turned + pose[:, None, 3:]
        facing = -((self._normals @ rotation) * camera).sum(-1) / np.linalg.norm(camera, axis=-1)
        weight = np.clip((facing - _LEAST_FACING) / (1 - _LEAST_FACING), 0, 1)
        pixels = self._focal * camera[..., :2] / camera[..., 2:] + self._size / self._step / 2 - 0.5
        return turned, camera, pixels, weight

    def fit(self, stack: "_Stack", pose: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Poses [n, 6] fitted to the texture, with the normal equations [n, 6, 6] and [n, 6] left at the end."""
        pose = pose.copy()
        for _ in range(_STEPS):
            turned, camera, pixels, weight = self._place(pose)
            seen = _bilinear(stack.pictures, pixels - stack.corner)
            jacobian = self._jacobian(seen[..., 1:], turned, camera, pose)
            pose += _solved(*self._equations(seen[..., 0], weight, jacobian))
            # The slopes change little over one step; what is seen changes.
            _, _, pixels, weight = self._place(pose)
            value = _bilinear(stack.pictures[..., :1], pixels - stack.corner)[..., 0]
            normal, right = self._equations(value, weight, jacobian)
            pose += _solved(normal, right)
        _, _, pixels, weight = self._place(pose)
        value = _bilinear(stack.pictures[..., :1], pixels - stack.corner)[..., 0]
        normal, right = self._equations(value, weight, jacobian)
        return pose, _INDEPENDENT * normal, _INDEPENDENT * right

    def _jacobian(self, slopes: np.ndarray, turned: np.ndarray, camera: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """How what the points show changes with the pose [n, P, 6], from the slopes [n, P, 2] of the picture."""
        by_x, by_y = np.moveaxis(slopes * self._focal, -1, 0) / camera[..., 2]
        slope = np.stack([by_x, by_y, -(by_x * camera[..., 0] + by_y * camera[..., 1]) / camera[..., 2]], axis=-1)
        by_turn = np.cross(turned, slope) @ left_jacobian(pose[:, :3])
        return np.concatenate([by_turn, slope], axis=-1)

    def _equations(self, value: np.ndarray, weight: np.ndarray, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations [n, 6, 6] and [n, 6] of what the points show [n, P] against the texture."""
        gain = (weight * value * self._texture).sum(-1) / np.maximum((weight * self._texture**2).sum(-1), 1e-6)
        residual = value - np.clip(gain, 0.5, 2)[:, None] * self._texture
        weight = weight / self._variance / (1 + residual**2 / (9 * self._variance)) ** 2
        weighted = jacobian * weight[..., None]
        return np.swapaxes(weighted, 1, 2) @ jacobian, -(weighted * residual[..., None]).sum(1)


@dataclass(frozen=True)
class _Stack:
    """What a portion of frames shows around the face."""

    pictures: np.ndarray  # [n, h, w, 3] band-passed brightness, its slope along x and along y
    corner: np.ndarray  # [2] of the left upper pixel in the frame


def _solved(normal: np.ndarray, right: np.ndarray) -> np.ndarray:  # [n, 6]
    """Steps of slightly damped normal equations."""
    damping = 1e-4 * np.diagonal(normal, axis1=1, axis2=2)[..., None] * np.eye(6) + 1e-6 * np.eye(6)
    return np.linalg.solve(normal + damping, right[..., None])[..., 0]


def _smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    """A wide Gaussian blur of float32 [H, W], computed on a coarser grid."""
    height, width = image.shape
    padded = np.pad(image, ((0, -height % _COARSER), (0, -width % _COARSER)), mode="edge")
    small = np.asarray(Image.fromarray(padded).reduce(_COARSER))
    # Averaging and interpolating already blur by about half a cell.
    blurred = ndimage.gaussian_filter(small, np.sqrt(max((sigma / _COARSER) ** 2 - 0.25, 0.01)), truncate=3)
    wide = Image.fromarray(blurred).resize(padded.shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(wide)[:height, :width]


def _bilinear(stack: np.ndarray, pixels: np.ndarray) -> np.ndarray:  # [n, P, C]
    """Values of pictures [n, H, W, C] at pixel indices [n, P, 2]; the edge is held."""
    count, height, width = stack.shape[:3]
    pixels = np.clip(pixels, 0, np.array([width, height]) - 1.001)
    low = pixels.astype(np.int32)
    x, y = np.moveaxis((pixels - low).astype(np.float32), -1, 0)[..., None]
    flat = stack.reshape(count * height * width, -1)
    base = (np.arange(count, dtype=np.int32)[:, None] * height + low[..., 1]) * width + low[..., 0]
    top = flat[base] * (1 - x) + flat[base + 1] * x
    bottom = flat[base + width] * (1 - x) + flat[base + width + 1] * x
    return top * (1 - y) + bottom * y
