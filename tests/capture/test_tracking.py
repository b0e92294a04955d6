"""Signals from landmarks: noise goes, motion stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.capture import tracking
from gaussiantalker.capture.arrays import bridge
from gaussiantalker.capture.blendshapes import INPUT_POINTS, NAMES
from gaussiantalker.capture.eyes import blink_of, eye_opening
from gaussiantalker.capture.face_mesh import EYES, INNER_LIPS, OUTER_EYE_CORNERS
from gaussiantalker.capture.tracking import _jitter, _steady, lip_opening


def eyes(opening: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Landmarks [N, 478, 2] of which only eyes (height over width = opening) and lips are set."""
    points = np.zeros((len(opening), 478, 2))
    for side, (upper, lower, outer, inner) in zip((-1, 1), EYES, strict=True):
        points[:, outer, 0], points[:, inner, 0] = side * 50, side * 20
        points[:, upper, 1], points[:, lower, 1] = -15 * opening[:, None], 15 * opening[:, None]
    return points * scale + 100


def test_names_and_inputs_are_what_the_network_has() -> None:
    assert len(NAMES) == len(set(NAMES)) == 52
    assert len(INPUT_POINTS) == 146 and (np.diff(INPUT_POINTS) > 0).all() and INPUT_POINTS[-1] == 477


@given(st.lists(st.booleans(), min_size=2, max_size=30).filter(any))
def test_bridge_is_linear_and_touches_nothing_else(flags: list[bool]) -> None:
    found = np.array(flags)
    line = np.arange(len(found), dtype=float)[:, None] * [2.0, -1.0]
    holes = np.where(found[:, None], line, np.nan)
    filled = bridge(holes, found)
    seen = np.flatnonzero(found)
    inside = slice(seen[0], seen[-1] + 1)
    assert np.allclose(filled[inside], line[inside])
    assert np.allclose(filled[: seen[0]], line[seen[0]]) and np.allclose(filled[seen[-1] :], line[seen[-1]])


def test_steady_removes_jitter_but_no_motion() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(200) / 25
    path = np.stack([20 * np.sin(2 * time), 15 * np.cos(3 * time)], axis=-1)[:, None] + np.zeros((1, 478, 1))
    noisy = path + rng.normal(0, 0.3, path.shape)
    smooth = _steady(noisy)
    assert _jitter(smooth) < 0.6 * _jitter(noisy)
    assert np.abs(smooth - path).mean() < 0.85 * np.abs(noisy - path).mean()
    assert np.abs(_steady(path) - path).max() < 0.3


def test_steady_in_portions_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    path = np.cumsum(np.random.default_rng(0).normal(0, 1, (101, 478, 2)), axis=0)
    whole = _steady(path)
    monkeypatch.setattr(tracking, "_PORTION", 100)
    assert np.allclose(_steady(path)[:, 0], whole[:, 0], atol=0.2)
    monkeypatch.setattr(tracking, "_some", lambda points: points)
    assert np.allclose(_steady(path), whole)


def test_steady_keeps_a_blink() -> None:
    rng = np.random.default_rng(0)
    path = np.zeros((60, 478, 2))
    path[30:33, :, 1] = 8.0
    smooth = _steady(path + rng.normal(0, 0.3, path.shape))
    assert np.abs(smooth[30:33, :, 1].mean(1) - 8).max() < 0.4
    assert np.abs(smooth[[29, 33], :, 1].mean(1)).max() < 0.4


def test_blink_spans_zero_to_one() -> None:
    shut = np.zeros(200)
    shut[[50, 51, 52, 120, 121, 122]] = [0.5, 1, 0.5, 0.6, 1, 0.4]
    scores = np.zeros((200, 52))
    scores[:, NAMES.index("eyeBlinkLeft")] = scores[:, NAMES.index("eyeBlinkRight")] = 0.05 + 0.7 * shut
    value = blink_of(eyes(0.3 * (1 - 0.9 * shut)), scores)
    assert value.dtype == np.float32 and value.min() == 0 and value[51] > 0.95
    assert np.corrcoef(value, shut)[0, 1] > 0.98


def test_open_eyes_that_never_blink_stay_open() -> None:
    rng = np.random.default_rng(0)
    scores = np.full((200, 52), 0.06) + rng.normal(0, 0.01, (200, 52))
    assert blink_of(eyes(0.3 + rng.normal(0, 0.004, 200)), scores).max() < 0.1


def test_openings_do_not_depend_on_size() -> None:
    opening = np.linspace(0.05, 0.4, 50)
    small, large = eyes(opening), eyes(opening, 3.0)
    assert np.allclose(eye_opening(small), eye_opening(large))
    assert np.allclose(eye_opening(small)[:, 0], opening)
    for points, scale in ((small, 1), (large, 3)):
        points[:, INNER_LIPS[1]] = points[:, INNER_LIPS[0]] + np.array([0, 10 * scale])
        distance = np.linalg.norm(points[0, OUTER_EYE_CORNERS[0]] - points[0, OUTER_EYE_CORNERS[1]])
        assert np.allclose(lip_opening(points), 10 * scale / distance)
