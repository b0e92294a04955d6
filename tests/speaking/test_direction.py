"""Poses and blinks said beforehand: any length, no jump, one clear sentence for what cannot be."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import from_yaw_pitch_roll, yaw_pitch_roll
from gaussiantalker.speaking.direction import _Blinks, directed, read_poses
from gaussiantalker.speaking.motion import NECK, Motion, Steering, between, steps_between


def wandering(frames: int, seed: int) -> Motion:
    """A head that drifts about smoothly, as heads do."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.01, 0.08, (6, 3)), rng.uniform(0, 6, (6, 3)), rng.normal(0, 4, (6, 3))
    angles = (waves[2] * np.sin(np.arange(frames)[:, None, None] * waves[0] + waves[1])).sum(axis=1)
    place = [0, 0, 8] + 0.01 * angles[:, ::-1]
    return Motion(from_yaw_pitch_roll(angles), place, (np.arange(frames) % 70 < 4).astype(float))


def shown(motion: Motion, frames: int) -> np.ndarray:
    return motion.viewmats[motion.indices(np.arange(frames))]


@settings(max_examples=25)
@given(frames=st.integers(1, 900), seed=st.integers(0, 50), still=st.booleans())
def test_a_performance_of_any_length_never_jumps(frames: int, seed: int, still: bool) -> None:
    motion = wandering(frames, seed)
    played = directed(motion.looped(), "still" if still else "recorded", "recorded")
    length = 3 * frames + 10
    poses = shown(played, length)
    assert steps_between(poses[:-1], poses[1:]).max() <= motion.largest_step() + 1e-9
    blinks = played.blink_at(np.arange(length))
    assert blinks.shape == (length,)
    assert ((blinks >= 0) & (blinks <= 1)).all()
    assert played.sway.shape == played.viewmats.shape


def test_a_long_motion_becomes_a_ring() -> None:
    ring = wandering(1_000, 3).looped()
    assert ring.closed
    assert len(ring) >= 450
    np.testing.assert_array_equal(ring.indices(np.array([0, len(ring)])), [0, 0])


def test_halfway_between_poses() -> None:
    start, end = (np.eye(4)[None].copy() for _ in range(2))
    end[0, :3, :3], end[0, 0, 3] = from_yaw_pitch_roll([[40, 0, 0]])[0], 2
    middle = between(start, end, np.array([0.5]))
    np.testing.assert_allclose(yaw_pitch_roll(middle[0, :3, :3]), [20, 0, 0], atol=1e-9)
    np.testing.assert_allclose(middle[0, :3, 3], [1, 0, 0])


@given(seed=st.integers(0, 99), first=st.integers(0, 5_000))
def test_blinks_come_at_human_rates(seed: int, first: int) -> None:
    blinks = _Blinks(0.1, 0.9, seed)
    minutes = blinks(np.arange(10 * 60 * 25))
    assert minutes.min() == pytest.approx(0.1)
    assert minutes.max() == pytest.approx(0.9)
    starts = ((minutes[1:] > 0.2) & (minutes[:-1] <= 0.2)).sum()
    assert 12 <= starts / 10 <= 26
    np.testing.assert_array_equal(blinks(np.arange(first, first + 9)), minutes[first : first + 9])


def test_a_blink_can_be_held() -> None:
    np.testing.assert_array_equal(directed(wandering(30, 0), "still", "0.4").blink_at(np.arange(4)), 0.4)


@pytest.mark.parametrize("blink", ["often", "1.2", -0.1, float("nan"), None])
def test_a_blink_that_means_nothing(blink) -> None:
    with pytest.raises(GaussianTalkerError, match="from 0"):
        directed(wandering(30, 0), "recorded", blink)


def test_a_table_of_angles_turns_the_head_on_its_neck(tmp_path: Path) -> None:
    (tmp_path / "nod.csv").write_text("yaw, pitch ,roll\n0,0,0\n10,-5,2\n\n0,0,0\n")
    np.savez(tmp_path / "nod.npz", yaw=[0, 10, 0], pitch=[0, -5, 0], roll=[0, 2, 0])
    motion = wandering(30, 0)
    rest = motion.viewmats[motion.rest]
    poses = read_poses(tmp_path / "nod.csv", rest)
    np.testing.assert_allclose(read_poses(tmp_path / "nod.npz", rest), poses)
    np.savez(tmp_path / "nod.npz", yaw=[[0], [10], [0]], pitch=[0, -5, 0], roll=[0, 2, 0])
    with pytest.raises(GaussianTalkerError, match="not a table"):
        read_poses(tmp_path / "nod.npz", rest)
    np.testing.assert_allclose(yaw_pitch_roll(poses[1, :3, :3]), [10, -5, 2], atol=1e-9)
    np.testing.assert_allclose(
        poses[:, :3, :3] @ NECK + poses[:, :3, 3], np.tile(rest[:3, :3] @ NECK + rest[:3, 3], (3, 1))
    )
    played = directed(motion, tmp_path / "nod.csv", "auto")
    assert played.closed, "it ends as it begins"
    assert len(shown(played, 100)) == 100


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "yaw,pitch\n1,2\n", "has no roll"),
        ("a.csv", "yaw,pitch,roll\n1,2,x\n", "not a table"),
        ("a.csv", "yaw,pitch,roll\n1,2\n", "not a table"),
        ("a.csv", "", "is empty"),
        ("a.csv", "yaw,pitch,roll\n", "at least one"),
        ("a.csv", "yaw,pitch,roll\n1,nan,2\n", "not finite"),
        ("a.csv", "yaw,pitch,roll\n100,0,2\n", "by 100 degrees"),
        ("a.csv", "yaw,pitch,roll,z\n1,0,2,7.5\n", "7.5 eye distances"),
        ("a.npz", "not a zip", "not a numpy .npz"),
        ("a.npz", "PK\x03\x04 an archive that was cut off", "not a numpy .npz"),
        ("a.txt", "yaw", "neither .csv nor .npz"),
    ],
)
def test_poses_that_cannot_be_used(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(GaussianTalkerError, match=sentence):
        directed(wandering(30, 0), tmp_path / name, "auto")


def test_a_pose_file_that_is_not_there() -> None:
    with pytest.raises(GaussianTalkerError, match="does not exist"):
        directed(wandering(30, 0), "nodding", "auto")


@given(wanted=st.lists(st.floats(-90, 90), min_size=1, max_size=6), blink=st.none() | st.floats(-1, 2))
def test_steering_changes_poses_smoothly(wanted: list[float], blink: float | None) -> None:
    steering, degrees, lids = Steering(blink=blink), [], []
    for yaw in wanted:
        steering.yaw, steering.still = yaw, yaw > 0
        for _ in range(10):
            angles, still = steering.follow(limit=30)
            assert 0 <= still <= 1
            degrees.append(angles[0])
            lids.append(steering.lids(0.2))
    assert np.abs(degrees).max() <= 30
    assert np.abs(np.diff(degrees)).max() <= 0.3 * 60, "no step is as large as the largest change asked for"
    assert 0 <= min(lids) <= max(lids) <= 1
