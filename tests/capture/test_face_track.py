"""Mouth distance and lip opening, by construction."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.capture.face_mesh import INNER_LIPS, OUTER_EYE_CORNERS
from gaussiantalker.capture.face_track import MOUTH, FaceTrack, mouth_distance, track_faces
from gaussiantalker.capture.landmarker import POINTS

seeds = st.integers(0, 2**32 - 1)


def some_track(seed: int, n: int = 4) -> FaceTrack:
    rng = np.random.default_rng(seed)
    return FaceTrack(rng.random((n, POINTS, 2)) * 200, rng.random((n, 52)))


@given(seeds, st.floats(-50, 50), st.floats(-50, 50))
def test_mouth_distance_ignores_where_the_mouth_is(seed: int, dx: float, dy: float) -> None:
    a = some_track(seed)
    moved = FaceTrack(a.points + np.array([dx, dy]), a.blendshapes)
    assert mouth_distance(a, moved) == pytest.approx(np.zeros(4), abs=1e-9)


@given(seeds)
def test_mouth_distance_is_symmetric_and_in_pixels(seed: int) -> None:
    a, b = some_track(seed), some_track(seed + 1)
    assert mouth_distance(a, b) == pytest.approx(mouth_distance(b, a))
    twice = [FaceTrack(t.points * 2, t.blendshapes) for t in (a, b)]
    assert mouth_distance(*twice) == pytest.approx(2 * mouth_distance(a, b))
    assert mouth_distance(*twice) / twice[0].unit == pytest.approx(mouth_distance(a, b) / a.unit)


def test_mouth_distance_of_one_known_point() -> None:
    a = some_track(0, 1)
    points = a.points.copy()
    points[:, MOUTH[0]] += np.array([20.0, 0.0])
    moved = mouth_distance(a, FaceTrack(points, a.blendshapes))
    assert moved == pytest.approx([(19 + 19) / 20])  # one point by 20 - 1, nineteen by 1, over twenty points


def test_lip_opening_is_in_units_of_the_eye_corners() -> None:
    points = np.zeros((1, POINTS, 2))
    points[0, OUTER_EYE_CORNERS[1]] = (100, 0)
    points[0, INNER_LIPS] = (50, 60), (50, 80)
    assert FaceTrack(points, np.zeros((1, 52))).lip_opening == pytest.approx([0.2])
    turned = np.repeat(points, 4, axis=0)
    turned[0, OUTER_EYE_CORNERS[1]] = (50, 0)
    turned[1] = np.nan
    openings = FaceTrack(turned, np.zeros((4, 52))).lip_opening
    assert np.isnan(openings[1]) and openings[[0, 2, 3]] == pytest.approx(0.2), "a turned head's mouth is as high"
    assert np.isnan(FaceTrack(turned[[1]], np.zeros((1, 52))).lip_opening).all()


def test_pictures_without_a_face_are_counted_and_not_scored() -> None:
    face = SimpleNamespace(points=np.ones((POINTS, 3)), blendshapes=np.zeros(52))
    detector = SimpleNamespace(detect=lambda picture: face if picture.any() else None)
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    found = track_faces([white, black, white], detector)
    assert found.found.tolist() == [True, False, True]
    assert np.isnan(mouth_distance(found, found)).tolist() == [False, True, False]
    assert track_faces([], detector).points.shape == (0, POINTS, 2)
