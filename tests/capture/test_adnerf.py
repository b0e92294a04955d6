"""Poses survive the journey to AD-NeRF's conventions and back; their files are read as they come."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.capture import adnerf
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import from_yaw_pitch_roll, rigid, rotation_angle


def poses(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rotations = from_yaw_pitch_roll(rng.uniform(-60, 60, (9, 3)))
    return rotations, rng.uniform([-1, -1, 5], [1, 1, 12], (9, 3))


@given(st.integers(0, 2**32 - 1))
def test_poses_return(seed: int) -> None:
    rotations, translations = poses(seed)
    for back in (
        adnerf._from_tracker(*adnerf.to_tracker(rotations, translations)),
        adnerf._from_transform(adnerf.to_transform(rotations, translations)),
    ):
        assert rotation_angle(back[0], rotations).max() < 1e-6 and np.allclose(back[1], translations)


@given(st.integers(0, 2**32 - 1))
def test_tracker_angles_mean_what_the_layout_says(seed: int) -> None:
    """METHODS of the layout: R0 = Rx Ry Rz with these signs, and x = -f X/Z, y = f Y/Z of R0 x + trans."""
    rng = np.random.default_rng(seed)
    euler, trans = rng.uniform(-0.5, 0.5, (1, 3)), rng.uniform([-1, -1, -9], [1, 1, -6], (1, 3))
    (sx, sy, sz), (cx, cy, cz) = np.sin(euler[0]), np.cos(euler[0])
    rx = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    ry = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    points = rng.uniform(-1, 1, (20, 3))
    theirs = points @ (rx @ ry @ rz).T + trans[0]
    rotation, translation = adnerf._from_tracker(euler, trans)
    ours = points @ adnerf.FLIP @ rotation[0].T + translation[0]
    assert np.allclose(ours[:, :2] / ours[:, 2:], np.c_[-theirs[:, 0], theirs[:, 1]] / theirs[:, 2:])


def test_transforms_are_read_from_both_parts(tmp_path: Path) -> None:
    rotations, translations = poses(0)
    matrices = adnerf.to_transform(rotations, translations)
    for name, part in (("val", range(6, 9)), ("train", range(6))):
        frames = [{"img_id": k + 3, "aud_id": k + 3, "transform_matrix": matrices[k].tolist()} for k in part]
        content = json.dumps({"focal_len": 1100.0, "cx": 225, "frames": frames})
        (tmp_path / f"transforms_{name}.json").write_text(content)
    found = adnerf.read_poses(tmp_path)
    assert found.focal == 1100 and found.frames.tolist() == list(range(3, 12))
    assert np.allclose(rigid(found.rotations, found.translations), rigid(rotations, translations))
    assert (found.translations[:, 2] > 0).all(), "the head is in front of the camera"
    (tmp_path / "transforms_val.json").write_text('{"frames": []}')
    with pytest.raises(GaussianTalkerError, match="transforms_val.json is not a list"):
        adnerf.read_poses(tmp_path)


def test_track_params_come_first_and_without_code(tmp_path: Path) -> None:
    rotations, translations = poses(1)
    euler, trans = adnerf.to_tracker(rotations, translations)
    content = {"euler": torch.tensor(euler), "trans": torch.tensor(trans), "focal": torch.tensor([900.0])}
    torch.save(content, tmp_path / "track_params.pt")
    found = adnerf.read_poses(tmp_path)
    assert found.focal == 900 and np.allclose(found.translations, translations)
    for wrong in ({"euler": Path("code")}, {"focal": torch.tensor([[900.0]])}, {"focal": torch.tensor([900.0, 800.0])}):
        torch.save(content | wrong, tmp_path / "track_params.pt")
        with pytest.raises(GaussianTalkerError, match="plain tensors"):
            adnerf.read_poses(tmp_path)
    (tmp_path / "track_params.pt").unlink()
    with pytest.raises(GaussianTalkerError, match="neither"):
        adnerf.read_poses(tmp_path)


def test_blink_is_clipped_halved_and_held(tmp_path: Path) -> None:
    (tmp_path / "au.csv").write_text("frame, AU45_r\n1, 0.00\n2, 1.00\n3, 3.50\n")
    blink = adnerf.read_blink(tmp_path / "au.csv", 5)
    assert blink.dtype == np.float32 and blink.tolist() == [0, 0.5, 1, 1, 1]


def test_scheme_of_68_points() -> None:
    assert len(adnerf.LANDMARKS_68) == len(set(adnerf.LANDMARKS_68)) == 68
