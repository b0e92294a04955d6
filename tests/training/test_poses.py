"""Corrections of poses: rotations by scipy's word, and a wrong pose that finds its way back."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import render
from gaussiantalker.talker.talker import Splats
from gaussiantalker.training.poses import PoseCorrections, _rotation

turns = st.lists(st.floats(-1, 1), min_size=3, max_size=3)


@settings(max_examples=20, deadline=None)
@given(turn=turns)
def test_turns_are_scipys(turn: list[float]) -> None:
    ours = _rotation(torch.tensor([turn], dtype=torch.float64))[0].numpy()
    np.testing.assert_allclose(ours, Rotation.from_rotvec(turn).as_matrix(), atol=1e-9)


def test_without_corrections_poses_are_the_tracked_ones() -> None:
    viewmats = torch.randn(3, 4, 4)
    torch.testing.assert_close(PoseCorrections(9)(viewmats, torch.tensor([4, 0, 8])), viewmats)


def test_a_wrong_pose_finds_back_to_the_picture() -> None:
    """One frame's pose is off by 0.02 rad and 0.02 units; its correction is found, other frames' stay zero."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    gaussians = Gaussians.from_points(rng.normal(size=(150, 3)), rng.random((150, 3)), opacity=0.9, sh_degree=0)
    splats = Splats(gaussians.means, gaussians.quats, gaussians.scales, gaussians.opacities, gaussians.sh)
    K = torch.tensor([[120.0, 0, 24], [0, 120.0, 24], [0, 0, 1]])
    true = torch.eye(4)[None]
    true[:, 2, 3] = 8
    plate = torch.zeros(1, 48, 48, 3)
    picture = render(splats, true, K, plate, 0)[0]
    poses, frame = PoseCorrections(3), torch.tensor([1])
    with torch.no_grad():
        off = PoseCorrections(1)
        off.values[:] = torch.tensor([0.02, -0.02, 0.01, 0.02, 0.01, 0.0])
        wrong = off(true, torch.tensor([0]))
    optimizer = torch.optim.Adam(poses.parameters(), 1e-3)
    for _ in range(120):
        optimizer.zero_grad()
        (render(splats, poses(wrong, frame), K, plate, 0)[0] - picture).square().mean().backward()
        optimizer.step()

    def pixels(viewmat: torch.Tensor) -> torch.Tensor:
        seen = (gaussians.means @ viewmat[0, :3, :3].T + viewmat[0, :3, 3]) @ K.T
        return seen[:, :2] / seen[:, 2:]

    found = poses(wrong, frame).detach()
    assert (pixels(found) - pixels(true)).abs().mean() < 0.35 * (pixels(wrong) - pixels(true)).abs().mean()
    assert not poses.values[[0, 2]].any()
