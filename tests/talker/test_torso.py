"""The torso field: one picture for any pose, steady and bounded, learnt from what frames show beside the head."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gaussiantalker.geometry import Camera, from_yaw_pitch_roll, rigid
from gaussiantalker.progress import SILENT
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker.torso import TorsoField, slow_part
from gaussiantalker.training.torso import Body, beside_head, fit_torso, kept_torso, rows_down_to

SIZE, FRAMES = 48, 60
CAMERA = Camera(90.0, SIZE / 2, SIZE / 2, SIZE, SIZE)


def poses(frames: int) -> np.ndarray:
    yaw = 15 * np.sin(np.arange(frames) / 6)
    return rigid(from_yaw_pitch_roll(np.stack([yaw, 0 * yaw, 0 * yaw], -1)), np.tile([0, 0, 8.0], (frames, 1)))


@pytest.fixture(scope="module")
def capture() -> SimpleNamespace:
    """A round head before green, on a neck and a striped shirt that moves sideways as the head turns."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    viewmats = poses(FRAMES)
    images, labels = np.empty((FRAMES, SIZE, SIZE, 3), np.uint8), np.zeros((FRAMES, SIZE, SIZE), np.uint8)
    background = np.full((SIZE, SIZE, 3), (30, 120, 60), np.uint8)
    for k in range(FRAMES):
        shift = 3 * np.sin(k / 6)
        labels[k][(np.abs(columns - 24 - shift) < 6) & (rows > 20)] = 2
        labels[k][rows > 34] = 3
        labels[k][(rows - 16) ** 2 + (columns - 24) ** 2 < 100] = 1
        images[k] = background
        images[k][labels[k] == 2] = (200, 150, 120)
        shirt = np.where(np.sin((columns - shift) / 2)[..., None] > 0, (40, 40, 160), (200, 200, 220))
        images[k] = np.where((labels[k] == 3)[..., None], shirt, images[k])
        images[k][labels[k] == 1] = (220, 180, 160)
    tracking = SimpleNamespace(rotations=viewmats[:, :3, :3], translations=viewmats[:, :3, 3])
    return SimpleNamespace(
        size=SIZE, camera=CAMERA, images=images, labels=labels, background=background, tracking=tracking
    )


@pytest.fixture(scope="module")
def field(capture: SimpleNamespace) -> TorsoField:
    return fit_torso(capture, np.arange(FRAMES), 250, 0, SILENT)


def pictures(field: TorsoField, viewmats: np.ndarray) -> np.ndarray:
    numbers = torch.from_numpy(viewmats).float()
    return field(numbers, torch.from_numpy(slow_part(viewmats)).float()).numpy()


def test_it_learns_what_moves_with_the_head(capture: SimpleNamespace, field: TorsoField) -> None:
    frames = np.arange(0, FRAMES, 5)
    beside = np.stack([beside_head(label, 0.01) for label in capture.labels[frames]])
    truth = capture.images[frames] / 255
    error = ((pictures(field, poses(FRAMES))[frames] - truth) ** 2)[beside].mean()
    frozen = pictures(field, poses(FRAMES)[:1])
    assert error < 0.5 * ((frozen - truth) ** 2)[beside].mean()
    assert -10 * np.log10(error) > 19


def test_no_gap_opens_under_the_chin(field: TorsoField) -> None:
    """Behind the lower half of the head there is neck, not background, whatever the pose."""
    turned = rigid(
        from_yaw_pitch_roll([[y, p, 0] for y in (-40, 0, 40) for p in (-20, 20)]), np.tile([0, 0, 8.0], (6, 1))
    )
    behind_chin = pictures(field, turned)[:, 22:33, 23:26]
    assert (behind_chin[..., 0] > behind_chin[..., 1]).mean() > 0.97, "skin is red, the background green"


def test_poses_beyond_the_recorded_change_little_more(field: TorsoField) -> None:
    far = rigid(from_yaw_pitch_roll([[60.0, 0, 0], [90, 0, 0]]), np.tile([0, 0, 8.0], (2, 1)))
    numbers = torch.from_numpy(far).float()
    mix = field.mix(numbers, numbers)
    recorded = torch.from_numpy(poses(FRAMES)).float()
    assert mix.abs().max() < 4 * field.mix(recorded, recorded).abs().max()
    assert np.abs(np.diff(pictures(field, far), axis=0)).mean() < 0.05


def test_depths_never_change(field: TorsoField) -> None:
    splats = field.deform(torch.randn(5, 8))
    torch.testing.assert_close(splats.means[..., 2], field.raw["means"][:, 2].expand(5, -1))


def test_a_saved_field_paints_the_same(capture: SimpleNamespace, field: TorsoField) -> None:
    again = TorsoField.from_state(field.state_dict(), CAMERA, capture.background)
    np.testing.assert_array_equal(pictures(again, poses(3)), pictures(field, poses(3)))


def test_a_training_that_was_stopped_does_not_start_anew(capture: SimpleNamespace, tmp_path: Path) -> None:
    recipe, file = {"seed": 1}, tmp_path / "torso.safetensors"
    first = kept_torso(file, capture, np.arange(FRAMES), 3, recipe, SILENT)
    kept = kept_torso(file, capture, np.arange(FRAMES), 3_000, recipe, SILENT)
    torch.testing.assert_close(kept.field.raw["means"], first.field.raw["means"])
    assert kept.seconds == first.seconds


def test_gradients_reach_all_that_is_trained() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 3)) * [1, 1, 0] + [0, 0, 8]
    field = TorsoField(Gaussians.from_points(points, sh_degree=0), CAMERA, np.zeros((SIZE, SIZE, 3), np.uint8))
    numbers = torch.from_numpy(poses(2)).float()
    (field(numbers, numbers) * torch.rand(2, SIZE, SIZE, 3)).sum().backward()
    for name, parameter in field.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_a_head_without_a_body_is_no_error(capture: SimpleNamespace) -> None:
    bare = SimpleNamespace(**{**vars(capture), "labels": np.where(capture.labels == 1, 1, 0).astype(np.uint8)})
    gaussians = Body(bare, np.arange(FRAMES)).gaussians(CAMERA, 0)
    assert len(gaussians) > 0
    assert all(torch.isfinite(tensor).all() for tensor in gaussians.to_dict().values())


def test_rows_down_to() -> None:
    target = np.array([[0, 0], [0, 0], [1, 0]], bool)
    through = np.array([[1, 1], [1, 1], [0, 1]], bool)
    np.testing.assert_array_equal(rows_down_to(target, through), [[2, np.inf], [1, np.inf], [0, np.inf]])


def test_what_is_kept_in_evaluation_changes_no_frame_and_is_forgotten_in_training() -> None:
    torch.manual_seed(0)
    dots = Gaussians.from_points(np.random.default_rng(0).normal(size=(30, 3)) + [0, 0, 8], sh_degree=0)
    field, mix = TorsoField(dots, CAMERA, np.zeros((SIZE, SIZE, 3), np.uint8)), torch.randn(2, 8)
    expected = field.deform(mix).means.detach()
    field.eval()
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(field.deform(mix).means, expected, rtol=0, atol=0)
        field.plane.mul_(1.5)
        changed = field.train().eval().deform(mix).means
    assert (changed - expected).abs().max() > 1e-5
    assert not [name for name in field.state_dict() if "kept" in name], "files must not hold it"
