"""The cloud around a face follows the silhouettes."""

import numpy as np
import pytest

from gaussiantalker.capture.points import _CENTRE, _hull_radius, _smoothest, _Views
from gaussiantalker.geometry import Camera, from_yaw_pitch_roll, on_mesh, on_sphere, rigid

RADIUS = 1.2


@pytest.fixture(scope="module")
def ball() -> _Views:
    """Masks of a ball around the middle of the head, seen from five sides."""
    camera = Camera(300.0, 64, 64, 128, 128)
    rotations = from_yaw_pitch_roll(np.array([[0, 0, 0], [20, 0, 0], [-20, 0, 0], [0, 12, 0], [0, -12, 0]], float))
    translations = np.array([0, 0, 9.0]) - rotations @ _CENTRE
    y, x = np.mgrid[:128, :128] + 0.5
    inside = np.hypot(x - 64, y - 64) < 300 * RADIUS / np.sqrt(81 - RADIUS**2)
    return _Views(camera, rigid(rotations, translations), np.repeat(inside[None], 5, axis=0))


def test_sphere_is_even() -> None:
    directions = on_sphere(2000)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.abs(directions.mean(0)).max() < 1e-3
    assert np.allclose((directions.T @ directions) / 2000, np.eye(3) / 3, atol=1e-3)


def test_outside_is_told_by_the_masks(ball: _Views) -> None:
    directions = on_sphere(300)
    assert (ball.outside(_CENTRE + 0.9 * RADIUS * directions) == 0).all()
    rim = directions[np.abs(directions[:, 2]) < 0.1]
    assert (ball.outside(_CENTRE + 1.15 * RADIUS * rim) > 0.5).all()


def test_hull_touches_the_silhouette(ball: _Views) -> None:
    directions = on_sphere(400)
    hull = _hull_radius(directions, ball)
    assert hull.min() > RADIUS - 0.1
    rim = np.abs(directions[:, 2]) < 0.15
    assert np.abs(hull[rim] - RADIUS).max() < 0.12


def test_smoothest_surface_keeps_targets_and_fills_between() -> None:
    directions = on_sphere(500)
    target = 1 + 0.2 * directions[:, 0]
    known = directions[:, 2] < 0
    radius = _smoothest(directions, np.where(known, target, 5.0), np.where(known, 10.0, 1e-4))
    assert np.abs(radius[known] - target[known]).max() < 0.02
    assert radius.max() < 1.6


def test_points_on_a_mesh_are_on_it_and_even() -> None:
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [2, 2, 0.0]])
    points, normals = on_mesh(vertices, np.array([[0, 1, 2], [1, 3, 2]]), 4000)
    assert np.abs(points[:, 2]).max() == 0 and np.allclose(np.abs(normals[:, 2]), 1)
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=4, range=[[0, 2], [0, 2]])
    assert counts.min() > 180 and counts.max() < 330


def test_colours_come_from_the_side_that_is_seen(ball: _Views) -> None:
    directions = on_sphere(800)
    points = _CENTRE + RADIUS * 0.97 * directions
    pictures = np.zeros((5, 128, 128, 3), np.uint8)
    pictures[..., 0], pictures[:, :64, :, 1] = 200, 100
    colours = ball.colours(points, directions, pictures)
    assert np.isfinite(colours).all() and np.allclose(colours[:, 0], 200 / 255)
    front = directions[:, 2] < -0.6
    high = directions[:, 1] < -0.3
    assert np.allclose(colours[front & high, 1], 100 / 255)
    assert np.allclose(colours[front & (directions[:, 1] > 0.3), 1], 0)
