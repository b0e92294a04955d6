"""The torso: what it shows is what frames show beside the head, replayed, read from frames, or guessed from poses."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bodies import a_torso

from gaussiantalker.capture.labels import HEAD, NECK
from gaussiantalker.geometry import Camera, from_yaw_pitch_roll, rigid
from gaussiantalker.progress import SILENT
from gaussiantalker.talker import Torso
from gaussiantalker.talker.torso import slow_part
from gaussiantalker.talker.torso_reading import Reader, beside_head, coarse_flow
from gaussiantalker.training.torso import _behind_head, _fit_torso, _principal, _Samples, kept_body

SIZE, FRAMES, KNOWN = 96, 60, 45
CAMERA = Camera(180.0, SIZE / 2, SIZE / 2, SIZE, SIZE)
GREEN, SKIN = (30, 120, 60), (200, 150, 120)


def poses(frames: int) -> np.ndarray:
    yaw = 15 * np.sin(np.arange(frames) / 6)
    return rigid(from_yaw_pitch_roll(np.stack([yaw, 0 * yaw, 0 * yaw], -1)), np.tile([0, 0, 8.0], (frames, 1)))


@pytest.fixture(scope="module")
def capture() -> SimpleNamespace:
    """A round head before green, on a neck and a chequered shirt that moves sideways as the head turns, up and down as
    it likes, and is lit as it likes."""
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(float)
    viewmats = poses(FRAMES)
    images, labels = np.empty((FRAMES, SIZE, SIZE, 3), np.uint8), np.zeros((FRAMES, SIZE, SIZE), np.uint8)
    background = np.full((SIZE, SIZE, 3), GREEN, np.uint8)
    for k in range(FRAMES):
        x, y, light = columns - 5 * np.sin(k / 6), rows - 2 * np.sin(k / 3.5), 1 + 0.15 * np.sin(k / 2.3)
        labels[k][(np.abs(x - 48) < 12) & (y > 40)] = 2
        labels[k][y > 66] = 3
        labels[k][(rows - 36) ** 2 + (columns - 48) ** 2 < 400] = HEAD
        images[k] = background
        images[k][labels[k] == 2] = SKIN
        shirt = (130 + 60 * np.sin(x / 3) * np.sin(y / 3))[..., None] * light * [0.5, 0.6, 1.0]
        images[k] = np.where((labels[k] == 3)[..., None], shirt, images[k])
        images[k][labels[k] == HEAD] = SKIN
    plates = np.where((labels == HEAD)[..., None], background, images)
    tracking = SimpleNamespace(rotations=viewmats[:, :3, :3], translations=viewmats[:, :3, 3])
    parts = {"images": images, "labels": labels, "plates": plates, "background": background, "tracking": tracking}
    return SimpleNamespace(size=SIZE, camera=CAMERA, train_frames=KNOWN, **parts)


@pytest.fixture(scope="module")
def fitted(capture: SimpleNamespace) -> tuple[Torso, torch.Tensor]:
    return _fit_torso(capture, np.arange(KNOWN), KNOWN, SILENT)


def guessed(torso: Torso, viewmats: np.ndarray) -> np.ndarray:
    numbers = torch.from_numpy(viewmats).float()
    return torso(torso.guess(numbers, torch.from_numpy(slow_part(viewmats)).float())).numpy()


def decibels(pictures: np.ndarray, capture: SimpleNamespace, frames: np.ndarray) -> float:
    """Over neck and clothes."""
    where = np.stack([beside_head(label, 0.01) & (label >= NECK) for label in capture.labels[frames]])
    return -10 * np.log10(((pictures - capture.images[frames] / 255) ** 2)[where].mean())


def test_recorded_frames_are_replayed(capture: SimpleNamespace, fitted: tuple[Torso, torch.Tensor]) -> None:
    torso, codes = fitted
    frames = np.arange(0, KNOWN, 4)
    assert decibels(torso(codes[frames]).numpy(), capture, frames) > 31
    assert decibels(torso(codes[:1]).expand(len(frames), -1, -1, -1).numpy(), capture, frames) < 20


def test_frames_that_were_not_learnt_are_read(capture: SimpleNamespace, fitted: tuple[Torso, torch.Tensor]) -> None:
    frames, reader = np.arange(KNOWN, FRAMES), Reader(fitted[0])
    codes = torch.stack([reader.read(capture.plates[k], capture.labels[k]) for k in frames])
    assert decibels(fitted[0](codes).numpy(), capture, frames) > 30


def test_a_code_is_read_back(capture: SimpleNamespace, fitted: tuple[Torso, torch.Tensor]) -> None:
    torso, codes = fitted
    picture = (torso(codes[7:8])[0] * 255).round().byte().numpy()
    again = torso(Reader(torso).read(picture, capture.labels[7])[None])[0]
    assert decibels(again[None].numpy(), SimpleNamespace(images=picture[None], labels=capture.labels[7:8]), [0]) > 36


def test_a_code_does_not_depend_on_dirty_memory(capture: SimpleNamespace, fitted: tuple[Torso, torch.Tensor]) -> None:
    reader, codes = Reader(fitted[0]), []
    for held in (-1, 0, 1, 2**31 - 1):
        dirt = [torch.full((size,), held, dtype=torch.int32) for size in range(1, 64) for _ in range(9)]
        del dirt
        codes.append(reader.read(capture.plates[7], capture.labels[7]))
    assert all(torch.equal(code, codes[0]) for code in codes)


def test_what_moves_with_the_head_is_guessed(capture: SimpleNamespace, fitted: tuple[Torso, torch.Tensor]) -> None:
    """The shirt's shift goes with the yaw; its height and light nobody can know."""
    shown, middle = guessed(fitted[0], poses(FRAMES)), slice(70, 90)
    shifts = [
        float(np.median(coarse_flow(as_bytes(shown[k]), as_bytes(shown[0]), capture.labels[k] == 3, (4, 4))[0]))
        for k in range(0, FRAMES, 3)
    ]
    truth = [-5 * np.sin(k / 6) for k in range(0, FRAMES, 3)]
    assert np.corrcoef(shifts, truth)[0, 1] > 0.95
    assert np.isfinite(shown[:, middle]).all()


def as_bytes(picture: np.ndarray) -> np.ndarray:
    return (picture * 255).round().clip(0, 255).astype(np.uint8)


def test_no_gap_opens_under_the_chin(fitted: tuple[Torso, torch.Tensor]) -> None:
    """Behind the lower half of the head there is neck, not background, whatever the pose."""
    turned = rigid(
        from_yaw_pitch_roll([[y, p, 0] for y in (-40, 0, 40) for p in (-20, 20)]), np.tile([0, 0, 8.0], (6, 1))
    )
    behind_chin = guessed(fitted[0], turned)[:, 46:60, 45:51]
    assert (behind_chin[..., 0] > behind_chin[..., 1]).mean() > 0.97, "skin is red, the background green"


def test_poses_beyond_the_recorded_change_little_more(fitted: tuple[Torso, torch.Tensor]) -> None:
    far = torch.from_numpy(rigid(from_yaw_pitch_roll([[60.0, 0, 0], [90, 0, 0]]), np.tile([0, 0, 8.0], (2, 1)))).float()
    recorded = torch.from_numpy(poses(FRAMES)).float()
    codes = fitted[0].guess(far, far)
    assert codes.abs().max() < 6 * fitted[0].guess(recorded, recorded).abs().max()
    assert np.abs(np.diff(fitted[0](codes).numpy(), axis=0)).mean() < 0.05


def test_alpha_is_the_bodys(capture: SimpleNamespace, fitted: tuple[Torso, torch.Tensor]) -> None:
    torso, codes = fitted
    top, _ = torso.place
    for k in (0, 9, 22):
        alpha, label = torso.layer(codes[k : k + 1])[0, ..., 3].numpy(), capture.labels[k][top:]
        beside = beside_head(capture.labels[k], 0.02)[top:]
        assert ((alpha > 0.5) == (label >= NECK))[beside].mean() > 0.98
    bare = torso(codes[:1])[0, :top].numpy()
    np.testing.assert_allclose(bare, np.broadcast_to(np.array(GREEN, np.float32) / 255, bare.shape), atol=1e-6)


def test_a_picture_is_texture_and_shades_moved_by_the_flow() -> None:
    """One pixel worked out by hand: flow, then the texture where it leads, then what is behind."""
    torso = a_torso(32)
    (top, margin), code = torso.place, torch.tensor([0.7, -0.4, 1.0, -2.0, 0.5])
    row, column = 19, 11
    flow = torso.flow[0] + 0.7 * torso.flow[1] - 0.4 * torso.flow[2]

    def bilinear(grid: torch.Tensor, down: float, across: float) -> np.ndarray:
        (i, v), (j, u) = divmod(down, 1), divmod(across, 1)
        around = grid[:, int(i) : int(i) + 2, int(j) : int(j) + 2].double().numpy()
        return np.einsum("crk,r,k->c", around, [1 - v, v], [1 - u, u])

    height = 32 - top
    moved = bilinear(flow, (row - top) * 2 / (height - 1), column * 3 / 31)
    full = torso.texture / 255
    full[:3] += torch.einsum("s,s,schw->chw", code[2:], torso.shade_scale / 255, torso.shades.float())
    found = bilinear(full, row - top + moved[1], column + margin + moved[0])
    expected = found[:3].clip(0, found[3]) + (1 - found[3]) * 90 / 255
    np.testing.assert_allclose(torso(code[None])[0, row, column].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    "torso", [a_torso(32), a_torso(45, 3, 4, 11), a_torso(45, finer=(2, 3)), a_torso(32, shades=0)]
)
@pytest.mark.parametrize("frames", [1, 3])
def test_the_kernel_draws_what_its_twin_does(torso: Torso, frames: int) -> None:
    codes = 2 * torch.randn(frames, torso.numbers, generator=torch.Generator().manual_seed(1))
    for drawn, twin in zip(torso.covering(codes), torso.twin(codes), strict=True):
        torch.testing.assert_close(drawn, twin, atol=3e-5, rtol=0)
    assert torch.equal(torso(codes), torso.covering(codes)[0])


def test_a_torso_is_the_same_bits_for_any_number_of_threads() -> None:
    torso, drawn = a_torso(64, finer=(2, 2)), []
    codes, before = torch.randn(3, torso.numbers), torch.get_num_threads()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        drawn.append(torso(codes))
    torch.set_num_threads(before)
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])


def test_a_saved_torso_paints_the_same(capture: SimpleNamespace, fitted: tuple[Torso, torch.Tensor]) -> None:
    again = Torso(fitted[0].state_dict(), capture.background)
    assert torch.equal(again(fitted[1][:3]), fitted[0](fitted[1][:3]))


@pytest.mark.parametrize("name", ["texture", "habits", "origin"])
def test_tensors_that_do_not_fit_are_refused(name: str) -> None:
    torso = a_torso(32)
    state = torso.state_dict() | {name: torch.tensor([40, 4]) if name == "origin" else torso.state_dict()[name][1:]}
    with pytest.raises(ValueError, match="do not fit"):
        Torso(state, np.zeros((32, 32, 3), np.uint8))


def test_a_training_that_was_stopped_does_not_start_anew(capture: SimpleNamespace, tmp_path: Path) -> None:
    recipe, file = {"seed": 1}, tmp_path / "torso.safetensors"
    first = kept_body(file, capture, np.arange(0, KNOWN, 3), recipe, SILENT)
    kept = kept_body(file, capture, np.arange(KNOWN), recipe, SILENT)
    torch.testing.assert_close(kept.torso.texture, first.torso.texture)
    torch.testing.assert_close(kept.codes, first.codes)
    assert kept.seconds == first.seconds


@pytest.mark.parametrize("frames", [1, 3, 20])
def test_a_head_without_a_body_is_no_error(capture: SimpleNamespace, frames: int) -> None:
    nobody = np.where(capture.labels == HEAD, HEAD, 0).astype(np.uint8)
    bare = SimpleNamespace(**{**vars(capture), "labels": nobody})
    torso, codes = _fit_torso(bare, np.arange(frames), frames, SILENT)
    assert torch.isfinite(codes).all() and torch.isfinite(torso(codes)).all()
    assert torso.layer(codes)[..., 3].mean() < 0.5


def test_principal_directions_give_values_back() -> None:
    values = torch.randn(9, 3) @ torch.randn(3, 40) + 1
    parts, weights = _principal(values, 5)
    torch.testing.assert_close(parts[0] + weights @ parts[1:], values)
    torch.testing.assert_close(weights[:, :3].square().mean(dim=0), torch.ones(3))


def test_flow_tells_a_shift() -> None:
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 255, (20, 20, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    flow = coarse_flow(wide[10:106, 10:106], wide[10:106, 13:109], np.ones((96, 96), bool), (4, 5))
    assert flow.shape == (2, 4, 5)
    np.testing.assert_allclose(flow[0].mean(), -3, atol=0.5)
    np.testing.assert_allclose(flow[1].mean(), 0, atol=0.5)


def test_the_texture_goes_on_where_the_body_comes_from(capture: SimpleNamespace) -> None:
    samples = _Samples(capture, np.arange(0, KNOWN, 3), 0)
    assert samples.margin >= 5, "the shirt moves by five pixels to both sides"


def test_the_neck_goes_on_behind_the_head() -> None:
    seen, unknown = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    seen[30:, 5:35], unknown[5:30, 12:28] = True, True
    neck = np.zeros_like(seen)
    neck[30:32, 16:24] = True
    hidden = _behind_head(seen, neck, unknown, 20.0)
    assert hidden[20:30, 16:24].all() and not hidden[:15].any() and not hidden[20, 13], "upwards of the neck alone"
