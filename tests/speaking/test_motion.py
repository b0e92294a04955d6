"""Playing a stretch of poses to and fro."""

import numpy as np
from bodies import a_torso
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gaussiantalker.geometry import from_yaw_pitch_roll, yaw_pitch_roll
from gaussiantalker.speaking.director import Director
from gaussiantalker.speaking.motion import (
    LONGEST,
    NECK,
    SHORTEST,
    UNSEEN,
    Motion,
    Steering,
    calm_stretch,
    turned,
)
from gaussiantalker.talker import AUDIO


def a_motion(frames: int) -> Motion:
    return Motion(np.tile(np.eye(3), (frames, 1, 1)), np.zeros((frames, 3)), np.zeros(frames))


@given(frames=st.integers(1, 40), at=st.integers(0, 500))
def test_neighbours_stay_neighbours(frames: int, at: int) -> None:
    motion = a_motion(frames)
    here, there = motion.index(at), motion.index(at + 1)
    assert 0 <= here < frames
    assert abs(here - there) == min(1, frames - 1)


def test_every_frame_is_shown() -> None:
    motion = a_motion(7)
    assert {motion.index(k) for k in range(13)} == set(range(7))


def test_the_stretch_turns_where_the_head_rests() -> None:
    """A head that swings like a pendulum rests where it turns: at odd multiples of a quarter period."""
    frames, period = 900, 160
    yaw = 20 * np.sin(2 * np.pi * np.arange(frames) / period)
    rotations = Rotation.from_rotvec(np.radians(yaw)[:, None] * [0, 1, 0]).as_matrix()
    start, stop = calm_stretch(rotations, np.zeros((frames, 3)))
    assert SHORTEST <= stop - start <= LONGEST
    for turn in (start, stop - 1):
        assert min(abs((turn - period / 4) % (period / 2)), abs((turn - period / 4) % (period / 2) - period / 2)) < 4


def test_a_short_capture_is_used_whole() -> None:
    assert calm_stretch(np.tile(np.eye(3), (50, 1, 1)), np.zeros((50, 3))) == (0, 50)


def test_steering_is_followed_without_a_jump() -> None:
    steering = Steering(yaw=20.0)
    shown = np.array([steering.follow(limit=30.0)[0] for _ in range(50)])[:, 0]
    assert shown[0] < 2
    assert np.diff(shown).min() >= 0
    assert abs(shown[-1] - 20) < 0.1
    steering.yaw = float("nan")
    assert np.isfinite(steering.follow(limit=30.0)[0]).all()


def test_a_given_mouth_is_come_to_and_left_without_a_jump() -> None:
    motion = Motion(np.tile(np.eye(3), (20, 1, 1)), np.tile([0, 0, 8.0], (20, 1)), np.zeros(20))
    director, steering, heard = Director(motion, 1.0, None), Steering(), np.full((6, 2), 0.5, np.float32)

    def shown() -> np.ndarray:
        return director.take(heard, 0, steering).drive.conditions[AUDIO].numpy()

    np.testing.assert_array_equal(shown(), heard)
    steering.mouth = np.array([3.0, -1.0])
    given = shown()
    assert (np.abs(np.diff(given, axis=0)) < 1.5).all() and (np.diff(given[:, 0]) > 0).all()
    np.testing.assert_allclose(given[-1], [3, -1], atol=0.06)
    steering.mouth = None
    np.testing.assert_allclose(shown()[-1], 0.5, atol=0.02)


def test_the_head_turns_about_the_neck() -> None:
    pose = np.eye(4)[None]
    pose[0, 2, 3] = 8
    after = turned(pose, np.array([[25.0, -10.0, 5.0]]))
    np.testing.assert_allclose(after[0, :3, :3] @ NECK + after[0, :3, 3], pose[0, :3, :3] @ NECK + pose[0, :3, 3])


def test_steering_stays_near_what_was_filmed() -> None:
    motion = Motion(from_yaw_pitch_roll([[-10, 0, 0], [10, 4, 0]]), np.tile([0, 0, 8.0], (2, 1)), np.zeros(2))
    shown = turned(motion.viewmats, motion.seen(motion.viewmats, np.array([[30.0, 0, 0], [-4.0, -2, 3]])))
    np.testing.assert_allclose(yaw_pitch_roll(shown[0, :3, :3])[0], 10 + UNSEEN, atol=0.5)
    np.testing.assert_allclose(yaw_pitch_roll(shown[1, :3, :3]), [6, 2, 3], atol=0.7)


def test_the_body_goes_round_without_a_jump() -> None:
    """Poses alone would close the ring where the body is elsewhere."""
    time = np.arange(600)
    yaw = 8 * np.sin(2 * np.pi * time / 120)
    body = np.stack([np.sin(2 * np.pi * time / 330), np.cos(2 * np.pi * time / 330)], axis=1)
    rotations, translations = from_yaw_pitch_roll(np.stack([yaw, 0 * yaw, 0 * yaw], -1)), np.tile([0, 0, 8.0], (600, 1))
    motion = Motion(rotations, translations, np.zeros(600), body=body)
    ring = motion.looped()
    assert ring.closed and ring.body.shape == (len(ring), 2)
    assert ring.largest_sway() <= motion.largest_sway()
    assert Motion(rotations, translations, np.zeros(600)).looped().body is None


def test_the_body_does_what_it_did_and_more_where_a_head_is_turned() -> None:
    time, torso = np.arange(20), a_torso(32)
    rotations = from_yaw_pitch_roll(np.stack([5 * np.sin(time / 3), 0 * time, 0 * time], -1))
    body = np.random.default_rng(0).normal(size=(20, torso.numbers))
    motion = Motion(rotations, np.tile([0, 0, 8.0], (20, 1)), np.zeros(20), body=body)
    heard, director = np.zeros((4, 2), np.float32), Director(motion, 1.0, torso)
    for steering in (None, Steering()):
        np.testing.assert_allclose(director.take(heard, 3, steering).body, body[3:7], atol=1e-5)
    np.testing.assert_allclose(director.take(heard, 1.5, None, 0.5).body[0], (body[1] + body[2]) / 2, atol=1e-5)
    steering = Steering(yaw=10.0)
    codes = [director.take(heard, 3, steering).body.numpy() for _ in range(10)]
    assert np.abs(codes[0][0] - body[3]).max() < 0.3 * np.abs(codes[-1][0] - body[3]).max(), "it sets in gently"
    guess = motion.with_body(torso).body
    np.testing.assert_array_equal(guess, body, "what is known is not guessed")
    still = Steering(still=True)
    for _ in range(12):
        held = director.take(heard, 3, still).body
    np.testing.assert_allclose(held[-1], body[motion.rest], atol=0.02)
