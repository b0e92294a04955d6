"""The global fit finds a known head again: from points seen with noise, lies and gaps."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gaussiantalker.capture.face_mesh import MESH_POINTS, FaceMesh
from gaussiantalker.capture.pose import FilmedHead, Prior, _skew, fit_filmed_head, left_jacobian, smooth_solve
from gaussiantalker.geometry import from_yaw_pitch_roll, project, rigid, yaw_pitch_roll

SIZE = 256
FOCAL = 2.1 * SIZE


def face(rng: np.random.Generator) -> FaceMesh:
    """A bulging sheet with a nose, eye corners where the convention wants them; its lower half is no bone."""
    xy = rng.uniform([-0.6, -0.6], [0.6, 1.2], (MESH_POINTS, 2))
    bulge = 0.6 * (xy**2).sum(1) - 0.5 * np.exp(-(xy[:, 0] ** 2 + (xy[:, 1] - 0.4) ** 2) / 0.03)
    vertices = np.c_[xy, bulge]
    vertices[33], vertices[263] = (-0.5, 0, 0), (0.5, 0, 0)
    return FaceMesh(vertices, np.zeros((0, 3), np.int32), (vertices[:, 1] < 0.6).astype(float))


def motion(count: int) -> tuple[np.ndarray, np.ndarray]:
    time = np.arange(count) / 25
    angles = np.stack([14 * np.sin(1.3 * time), 7 * np.sin(2.1 * time + 1), 4 * np.sin(0.9 * time + 2)], axis=1)
    moved = np.stack([0.2 * np.sin(time), 0.1 * np.cos(1.7 * time), 8 + 0.3 * np.sin(0.5 * time)], axis=1)
    return from_yaw_pitch_roll(angles), moved


@pytest.fixture(scope="module")
def scene() -> dict:
    rng = np.random.default_rng(1)
    mesh = face(rng)
    shape = mesh.vertices + rng.normal(0, 0.02, (MESH_POINTS, 3))
    shape[[33, 263]] = mesh.vertices[[33, 263]]
    rotations, translations = motion(150)
    K = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]])
    pixels = project(shape, rigid(rotations, translations), K)
    mouth = np.flatnonzero(mesh.rigid == 0)
    pixels[:, mouth, 1] += 6 * np.abs(np.sin(np.arange(150)))[:, None]
    noise = rng.normal(0, 0.3, pixels.shape)
    return {"mesh": mesh, "pixels": pixels + noise, "R": rotations, "t": translations}


@pytest.fixture(scope="module")
def found(scene: dict) -> FilmedHead:
    return fit_filmed_head(scene["pixels"], np.ones(150, bool), scene["mesh"], SIZE)


def turn_error(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Degrees, after the one constant turn that a shape known only from its pictures leaves open."""
    relative = Rotation.from_matrix(np.swapaxes(found, 1, 2) @ truth)
    return np.degrees((relative.mean().inv() * relative).magnitude())


def test_poses_are_found_through_noise(scene: dict, found: FilmedHead) -> None:
    assert np.median(turn_error(found.rotations, scene["R"])) < 0.25
    assert 0.8 * FOCAL < found.focal < 1.25 * FOCAL
    spread = (found.translations[:, 2] / scene["t"][:, 2]).std() / (found.translations[:, 2] / scene["t"][:, 2]).mean()
    assert spread < 0.004
    assert found.residual.mean() < 0.6
    bend, true_bend = (np.abs(np.diff(yaw_pitch_roll(r), 2, axis=0)).mean() for r in (found.rotations, scene["R"]))
    assert bend < 1.5 * true_bend, "the prior is there to take the trembling out"


def test_shape_obeys_the_head_frame(found: FilmedHead) -> None:
    shape = found.shape
    assert np.linalg.norm(shape[263] - shape[33]) == pytest.approx(1)
    assert np.abs(shape[263] + shape[33]).max() < 1e-9


def test_liars_and_gaps_hardly_matter(scene: dict) -> None:
    pixels, found = scene["pixels"].copy(), np.ones(150, bool)
    pixels[60, :200] += 40
    found[80:86] = False
    pixels[80:86] = np.nan_to_num(0)
    result = fit_filmed_head(pixels, found, scene["mesh"], SIZE)
    error = turn_error(result.rotations, scene["R"])
    assert error[60] < 1.5 and error[80:86].max() < 2.0
    assert np.median(error) < 0.3


def test_a_head_that_moves_at_once_is_followed_and_one_that_rests_is_still() -> None:
    """Five degrees from one frame to the next, seen with half a degree of noise; else it turns slowly."""
    rng, noise = np.random.default_rng(3), 0.01
    truth = 0.05 * np.sin(np.arange(200) / 40)[:, None] + np.zeros(6)
    truth[100:] += 0.09
    seen = truth + rng.normal(0, noise, truth.shape)
    stiffness = 1 / np.array([Prior.turn] * 3 + [Prior.shift] * 2 + [Prior.depth]) ** 2
    error = np.abs(seen + smooth_solve(np.tile(np.eye(6) / noise**2, (200, 1, 1)), 0 * seen, seen, stiffness) - truth)
    assert error[96:104].max() < 0.03
    assert np.sqrt(np.square(error[:90]).mean()) < 0.5 * noise


def test_short_clips_are_solved() -> None:
    rng = np.random.default_rng(2)
    mesh = face(rng)
    rotations, translations = motion(2)
    K = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]])
    pixels = project(mesh.vertices, rigid(rotations, translations), K)
    assert np.isfinite(fit_filmed_head(pixels, np.ones(2, bool), mesh, SIZE, Prior()).rotations).all()


def test_derivative_of_a_turned_vector() -> None:
    rng = np.random.default_rng(0)
    r, v = rng.normal(0, 1, (20, 3)), rng.normal(0, 1, (20, 3))
    turned = Rotation.from_rotvec(r).apply(v)
    exact = -_skew(turned) @ left_jacobian(r)
    step = 1e-6
    for axis in range(3):
        moved = Rotation.from_rotvec(r + step * np.eye(3)[axis]).apply(v)
        assert np.abs((moved - turned) / step - exact[..., axis]).max() < 1e-4
