"""The axioms of the conventions page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gaussiantalker.geometry import (
    Camera,
    from_yaw_pitch_roll,
    project,
    rigid,
    rotation_angle,
    yaw_pitch_roll,
)

seeds = st.integers(0, 2**32 - 1)
degrees = st.floats(-80, 80)


def rotations(seed: int, n: int) -> np.ndarray:
    return Rotation.random(n, rng=np.random.default_rng(seed)).as_matrix()


def test_a_point_on_the_axis_lands_on_the_principal_point() -> None:
    camera = Camera(focal=100, cx=32, cy=24, width=64, height=48)
    assert project(np.array([[0.0, 0.0, 5.0]]), np.eye(4), camera.K) == pytest.approx(np.array([[32.0, 24.0]]))


def test_x_goes_right_and_y_goes_down() -> None:
    camera = Camera(focal=100, cx=32, cy=24, width=64, height=48)
    right, down = project(np.array([[1.0, 0.0, 10.0], [0.0, 1.0, 10.0]]), np.eye(4), camera.K)
    assert right == pytest.approx([42, 24]) and down == pytest.approx([32, 34])


@given(seeds, st.integers(1, 5))
def test_projection_is_that_of_homogeneous_coordinates(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rigid(rotations(seed, n), rng.normal(size=(n, 3)) + [0, 0, 10])
    K = Camera(300.0, 120.0, 130.0, 256, 256).K
    points = rng.normal(size=(7, 3))
    whole = np.concatenate([points, np.ones((7, 1))], axis=1)
    expected = (K @ (matrix @ whole.T)[:, :3]).transpose(0, 2, 1)
    assert project(points, matrix, K) == pytest.approx(expected[..., :2] / expected[..., 2:])


@given(degrees, degrees, degrees)
def test_angles_read_back(yaw: float, pitch: float, roll: float) -> None:
    given_angles = np.array([yaw, pitch, roll])
    assert yaw_pitch_roll(from_yaw_pitch_roll(given_angles)) == pytest.approx(given_angles, abs=1e-6)


def test_no_turn_is_the_frontal_head() -> None:
    assert from_yaw_pitch_roll(np.zeros(3)) == pytest.approx(np.eye(3))


@given(seeds)
def test_the_angle_between_rotations_is_a_metric(seed: int) -> None:
    a, b, c = rotations(seed, 3)
    assert rotation_angle(a, a) == pytest.approx(0, abs=1e-6)
    assert rotation_angle(a, b) == pytest.approx(rotation_angle(b, a))
    assert rotation_angle(a, c) <= rotation_angle(a, b) + rotation_angle(b, c) + 1e-9
    assert rotation_angle(a, b) == pytest.approx(rotation_angle(c @ a, c @ b))
