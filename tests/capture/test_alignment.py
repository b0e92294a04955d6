"""Pictures correct poses that landmarks got wrong."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from gaussiantalker.capture.alignment import _bilinear, align_motion
from gaussiantalker.capture.arrays import ArrayReader, ArrayWriter
from gaussiantalker.capture.face_mesh import MESH_POINTS, FaceMesh
from gaussiantalker.capture.pose import FilmedHead
from gaussiantalker.geometry import from_yaw_pitch_roll, project, rigid, yaw_pitch_roll

SIZE, FRAMES = 96, 40
FOCAL = 2.1 * SIZE


def bumpy_face() -> FaceMesh:
    """A bulging sheet with a nose, on a grid whose points are numbered like nothing in particular."""
    rng = np.random.default_rng(0)
    xy = rng.uniform([-0.75, -0.6], [0.75, 0.6], (MESH_POINTS, 2))
    xy[2] = (0, 0.6)
    depth = 0.5 * (xy**2).sum(1) - 0.45 * np.exp(-(xy**2).sum(1) / 0.04)
    triangles = Delaunay(xy).simplices[:, ::-1].astype(np.int32)
    vertices = np.c_[xy, depth]
    corners = vertices[triangles]
    turned = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
    triangles[turned] = triangles[turned][:, ::-1]
    return FaceMesh(vertices, triangles, np.ones(MESH_POINTS))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArrayReader, FaceMesh, np.ndarray, np.ndarray]:
    """Pictures of a freckled sheet that nods, drawn point by point."""
    mesh = bumpy_face()
    rng = np.random.default_rng(1)
    time = np.arange(FRAMES) / 25
    angles = np.stack([8 * np.sin(3 * time), 6 * np.sin(5 * time + 1), 2 * np.sin(4 * time)], axis=1)
    rotations = from_yaw_pitch_roll(angles)
    translations = np.tile([0.0, 0, 5.0], (FRAMES, 1)) + 0.05 * np.stack([np.sin(2 * time), np.cos(time), 0 * time], 1)
    K = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]])
    corners = mesh.vertices[mesh.triangles]
    share = rng.dirichlet([1, 1, 1], (len(corners), 40))
    points = np.einsum("fks,fsc->fkc", share, corners).reshape(-1, 3)
    freckles = ndimage.gaussian_filter(rng.normal(0, 1, (60, 60)), 1.2)
    colour = 128 + 160 * freckles[tuple(((points[:, 1::-1] + 0.8) / 1.6 * 59).astype(int).T)]
    path = tmp_path_factory.mktemp("film") / "frames.npy"
    with ArrayWriter(path, (SIZE, SIZE, 3)) as writer:
        for pixels in project(points, rigid(rotations, translations), K):
            at = np.floor(pixels).astype(int)
            total, count = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
            np.add.at(total, (at[:, 1], at[:, 0]), colour)
            np.add.at(count, (at[:, 1], at[:, 0]), 1)
            picture = np.where(count > 0, total / np.maximum(count, 1), 128)
            writer.append(np.repeat(np.clip(picture, 0, 255)[None, ..., None], 3, axis=-1))
    return ArrayReader(path), mesh, rotations, translations


def turn_error(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    relative = Rotation.from_matrix(np.swapaxes(found, 1, 2) @ truth)
    return np.degrees((relative.mean().inv() * relative).magnitude())


def test_halved_nods_are_restored(film: tuple) -> None:
    frames, mesh, rotations, translations = film
    angles = yaw_pitch_roll(rotations) * [1, 0.5, 1]
    start = FilmedHead(FOCAL, mesh.vertices, from_yaw_pitch_roll(angles), translations, np.zeros(FRAMES))
    motion, facts = align_motion(frames, np.ones(FRAMES, bool), start, mesh)
    before, after = (turn_error(m.rotations, rotations).mean() for m in (start, motion))
    assert after < 0.4 * before and after < 0.8
    assert facts["texture_blur"][1] < facts["texture_blur"][0]


def test_frames_that_show_something_else_keep_their_landmarks(film: tuple, tmp_path: Path) -> None:
    frames, mesh, rotations, translations = film
    pictures = frames[0:FRAMES].copy()
    pictures[20] = np.random.default_rng(0).integers(0, 255, pictures[20].shape)
    with ArrayWriter(tmp_path / "frames.npy", (SIZE, SIZE, 3)) as writer:
        writer.append(pictures)
    found = np.ones(FRAMES, bool)
    found[30] = False
    start = FilmedHead(FOCAL, mesh.vertices, rotations, translations, np.zeros(FRAMES))
    motion, _ = align_motion(ArrayReader(tmp_path / "frames.npy"), found, start, mesh)
    assert turn_error(motion.rotations, rotations).max() < 1.5


def test_bilinear_is_exact_on_planes() -> None:
    y, x = np.mgrid[:20, :30].astype(np.float32)
    stack = np.stack([np.stack([x, 2 * y + x], axis=-1), np.stack([x + 1, y], axis=-1)])
    at = np.random.default_rng(0).uniform(0, [28.9, 18.9], (2, 50, 2))
    values = _bilinear(stack, at)
    assert np.allclose(values[..., 0], [at[0, :, 0], at[1, :, 0] + 1], atol=1e-4)
    assert np.allclose(values[..., 1], [2 * at[0, :, 1] + at[0, :, 0], at[1, :, 1]], atol=1e-4)
