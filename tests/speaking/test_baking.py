"""Blendshapes that stand for a talker's network, and the avatar's folder that keeps them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hearing import a_mouth_listener
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import Camera
from gaussiantalker.media.files import read_json
from gaussiantalker.speaking import Avatar, Motion, Steering, baking
from gaussiantalker.speaking.folder import BLENDSHAPES
from gaussiantalker.speaking.motion import ARTICULATION_LIMIT
from gaussiantalker.speaking.situations import Situations, filmed
from gaussiantalker.speech.logmel import LogMel
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, Drive, Talker, WindowListener, find_method

SIZE = 40


@pytest.fixture(autouse=True, scope="module")
def quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baking, "SNAPSHOTS", 96)
        patch.setattr(baking, "STEPS", 300)
        patch.setattr(baking, "VIEWS", 2)
        patch.setattr(baking, "GLANCES", 16)
        yield


@pytest.fixture(scope="module")
def star() -> Avatar:
    avatar = an_avatar("gaussiantalker-star")
    return avatar.baked(its_frames(avatar))


def syllables(samples: int = 16_000) -> np.ndarray:
    time = np.arange(samples) / 16_000
    pitch = 300 + 200 * np.sin(2 * np.pi * time)
    return (0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 16_000) * np.sin(6 * np.pi * time) ** 2).astype(np.float32)


def an_avatar(method: str) -> Avatar:
    """A hundred dots that move with sound, eyes and pose, by untrained networks whose last layers say something."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    listener = WindowListener.fit(LogMel(), syllables(48_000), channels=6)
    listener = a_mouth_listener() if method == "mouth-code" else listener
    gaussians = Gaussians.from_points(rng.normal(size=(100, 3)), rng.random((100, 3)), sh_degree=1, opacity=0.8)
    talker = Talker(find_method(method), gaussians, listener.channels)
    for name, parameter in talker.offsets.named_parameters():
        if "last" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    motion = Motion(np.tile(np.eye(3), (50, 1, 1)), np.linspace([-1, 0, 8], [1, 0, 8], 50), np.linspace(0, 1, 50))
    plates = np.full((50, SIZE, SIZE, 3), 90, np.uint8)
    camera = Camera(60.0, SIZE / 2, SIZE / 2, SIZE, SIZE)
    return Avatar({}, talker.eval().requires_grad_(False), listener, camera, motion, plates)


def its_frames(avatar: Avatar) -> Drive:
    drive = filmed(Path("nowhere"), {}, avatar.talker, avatar.listener, avatar.motion)
    return drive.given(**{AUDIO: torch.from_numpy(np.array(avatar.listener.hear(syllables(32_000))))})


@pytest.fixture(scope="module")
def kept(star: Avatar, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    folder = tmp_path_factory.mktemp("avatars") / "star"
    star.save(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("means", lambda t: t[:, None]),
        ("quats", lambda t: t[:, :3]),
        ("log_scales", lambda t: t.to(torch.int16)),
        ("opacity_logits", lambda t: t[:, None]),
        ("sh", lambda t: t[..., :2]),
        ("sh", lambda t: t[:-1]),
        ("sh", lambda t: t * torch.nan),
        ("bases", lambda t: t.short()),
        ("bases", lambda t: t[..., None]),
        ("bases", lambda t: t[:-1]),
        ("reach", lambda t: t[:-1]),
        ("reach", lambda t: t[:, :-1]),
        ("coefficients.high", lambda t: t[:-1]),
        ("coefficients.network.0.weight", lambda t: t[:-1]),
        ("coefficients.network.0.weight", lambda t: t[:, :-1]),
    ],
)
def test_damaged_blendshapes_are_one_sentence(kept: Path, tmp_path: Path, name: str, damage: Callable) -> None:
    shutil.copytree(kept, tmp_path / "copy")
    with safe_open(kept / BLENDSHAPES, framework="pt") as file:
        about = file.metadata()
    tensors = load_file(kept / BLENDSHAPES)
    save_file(tensors | {name: damage(tensors[name]).contiguous()}, tmp_path / "copy" / BLENDSHAPES, about)
    with pytest.raises(GaussianTalkerError, match="damaged"):
        Avatar.load(tmp_path / "copy")


def pictures(avatar: Avatar, **how: object) -> np.ndarray:
    return np.stack([frame.image for frame in avatar.speak(syllables(), **how)]).astype(float)


@pytest.mark.parametrize(
    "method", ["gaussiantalker", "gstalker", "egstalker/public-code", "gaussiantalker-star/deform-colour"]
)
def test_blendshapes_show_what_the_network_shows(method: str) -> None:
    exact = an_avatar(method)
    baked = exact.baked(its_frames(exact))
    for how in ({}, {"articulation": 2.0, "blink": 1.0}, {"articulation": 0.0, "blink": 0.0}):
        true, like = pictures(exact, **how), pictures(baked, **how)
        rest = np.median(true, axis=0)
        assert np.square(like - true).mean() < 0.3 * np.square(true - rest).mean() + 0.1, how


def test_baking_is_the_same_for_the_same_seed_and_leaves_the_random_numbers_alone(star: Avatar) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    again = star.baked(its_frames(star)).blendshapes
    assert torch.equal(torch.rand(3), expected)
    for name, value in star.blendshapes.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_a_wider_mouth_than_was_taught_goes_on_straight() -> None:
    """As the network says up to the widest that was taught, then along the tangent to half as wide again."""
    avatar = an_avatar("mouth-code")
    code = torch.randn(avatar.listener.channels)
    code[0] = baking.TAUGHT
    times = torch.tensor([0.5, 1 - baking.SLOPE, 1.0, 1.25, 1.5, 4.0])
    drive = its_frames(avatar).at(torch.zeros(6, dtype=torch.long)).given(**{AUDIO: times[:, None] * code})
    network = baking._motion(avatar.talker, avatar.talker.conditions(drive), drive.viewmats)
    for asked in (drive, drive.given(**{AUDIO: code.expand(6, -1)})._replace(articulation=times)):
        moves = baking._asked(avatar.talker, asked)[0]
        torch.testing.assert_close(moves[:3], network[:3], rtol=1e-3, atol=2e-4)
        step = (moves[2] - moves[1]) / baking.SLOPE
        torch.testing.assert_close(moves[3:5] - moves[2], torch.stack([step / 4, step / 2]), rtol=1e-3, atol=2e-3)
        torch.testing.assert_close(moves[5], moves[4], rtol=1e-3, atol=2e-3)
    assert (moves[4] - network[4]).abs().max() > 0.01


def test_gaussians_that_hardly_matter_carry_no_bases() -> None:
    avatar = an_avatar("gaussiantalker-star")
    avatar.talker.raw["opacity_logits"][30:] = -5.0
    shapes = avatar.baked(its_frames(avatar)).blendshapes
    assert len(shapes.reach) <= 30 and len(shapes.means) > 50


def test_gaussians_that_nobody_sees_are_left_out() -> None:
    avatar = an_avatar("gaussiantalker-star")
    whole = avatar.baked(its_frames(avatar)).blendshapes
    behind = torch.arange(70, 100)  # all that is behind an opaque wall, and still moves
    avatar.talker.raw["means"][behind, 2] = 6.0
    avatar.talker.raw["means"][0] = torch.tensor([0.0, 0.0, -6.0])
    avatar.talker.raw["log_scales"][0], avatar.talker.raw["opacity_logits"][0] = 1.0, 20.0
    shapes = avatar.baked(its_frames(avatar)).blendshapes
    assert len(shapes.means) < 60 < len(whole.means)
    true, like = pictures(avatar), pictures(replace(avatar, blendshapes=shapes))
    assert np.abs(true - like).max() < 3


def test_situations_are_all_that_may_be_asked() -> None:
    avatar = an_avatar("gaussiantalker-star")
    drive = Situations(its_frames(avatar), avatar.motion, limit=5.0).draw(300)
    assert 0 <= drive.articulation.min() < 0.3 and ARTICULATION_LIMIT - 0.3 < drive.articulation.max()
    assert (drive.articulation == 1).float().mean() > 0.5
    assert drive.conditions[EYE].min() < 0.05 and drive.conditions[EYE].max() > 0.95
    assert drive.conditions[AUDIO].shape == (300, 8, 16, 6)
    said = Situations(its_frames(avatar), avatar.motion, limit=5.0).utterances(5)
    assert (said.viewmats == said.viewmats[0]).all() and (said.conditions[EYE] == said.conditions[EYE][0]).all()
    assert (said.conditions[AUDIO] != said.conditions[AUDIO][0]).any()


def test_nothing_flies_off_where_nobody_has_been(star: Avatar) -> None:
    """Any steering: coefficients stay within those of baking, and so do the Gaussians."""
    drive = its_frames(star)
    far = drive.given(**{AUDIO: 50 * drive.conditions[AUDIO]})
    near, beyond = (star.renderer.head.deform(each).means for each in (drive, far))
    assert (beyond - near).abs().max() < 3 * (near.amax(dim=0) - near.amin(dim=0)).max() + 0.1
    steering = Steering(yaw=90, pitch=-90, blink=1.0, articulation=2.0)
    contexts = far.conditions[AUDIO][:8].numpy()
    assert len(list(star.perform(contexts, 0, steering))) == 8


def test_a_folder_is_baked_once_and_again_for_another_model(tmp_path: Path) -> None:
    avatar, notes = an_avatar("gaussiantalker-star"), []

    class Listening:
        def stage(self, name: str, total: int) -> None: ...

        def update(self, done: int, **numbers: float) -> None: ...

        def note(self, text: str) -> None:
            notes.append(text)

    avatar.save(tmp_path)
    assert Avatar.load(tmp_path, exact=True).blendshapes is None
    assert not (tmp_path / BLENDSHAPES).exists()
    first = Avatar.load(tmp_path, Listening()).blendshapes
    assert [note for note in notes if "Baking" in note]
    notes.clear()
    again = Avatar.load(tmp_path, Listening()).blendshapes
    assert not [note for note in notes if "Baking" in note]
    assert torch.equal(again.bases, first.bases) and again.moved == first.moved
    assert Avatar.load(tmp_path, exact=True).blendshapes is None
    other = an_avatar("gaussiantalker-star")
    other.talker.raw["means"] += 0.1
    kept = (tmp_path / BLENDSHAPES).read_bytes()
    other.save(tmp_path)
    (tmp_path / BLENDSHAPES).write_bytes(kept)
    Avatar.load(tmp_path, Listening())
    assert [note for note in notes if "Baking" in note]
    assert read_json(tmp_path / "avatar.json")["torso"] == "plates"


def test_a_baked_avatar_is_saved_with_its_blendshapes(star: Avatar, tmp_path: Path) -> None:
    star.save(tmp_path)
    assert torch.equal(Avatar.load(tmp_path).blendshapes.bases, star.blendshapes.bases)
    replace(star, blendshapes=None).save(tmp_path)
    assert not (tmp_path / BLENDSHAPES).exists()
