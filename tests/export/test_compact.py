"""The compact file: what it holds stands for the avatar, and who cannot be shown in a page is told why."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from page_reader import told
from puppet import a_puppet
from safetensors.torch import load, save

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export.compact import compact
from gaussiantalker.provenance.watermark import pattern, payload_of
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.director import Director
from gaussiantalker.talker import WindowListener


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return a_puppet()


@pytest.fixture(scope="module")
def file(avatar: Avatar) -> bytes:
    return compact(avatar)


def test_a_page_reads_it_and_nothing_like_it(file: bytes, tmp_path: Path) -> None:
    path, tensors = tmp_path / "me.avatar", load(file)
    path.write_bytes(file)
    assert told(path) == "read"
    broken = {
        "missing": {name: tensor for name, tensor in tensors.items() if name != "listener.weights"},
        "no mark": {name: tensor for name, tensor in tensors.items() if name != "watermark"},
        "no mean": {name: tensor for name, tensor in tensors.items() if name != "tokens.camera.mean"},
        "another axis": tensors | {"tokens.bias": tensors["tokens.bias"][:, None]},
        "another kind": tensors | {"motion.blink": tensors["motion.blink"].short()},
        "narrower": tensors | {"head.means": tensors["head.means"].half()},
        "NaN": tensors | {"torso.habits": tensors["torso.habits"] * torch.nan},
        "infinite": tensors | {"head.sh": tensors["head.sh"] / 0},
        "no inner layer": {name: tensor for name, tensor in tensors.items() if name != "tokens.eye.inner"},
    }
    for what, content in broken.items():
        path.write_bytes(save(content, {"avatar": json.dumps(facts_of(file))}))
        assert told(path).startswith("TalkingHeadError: This is no avatar, or it is damaged"), what


def facts_of(file: bytes) -> dict:
    header = json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])
    return json.loads(header["__metadata__"]["avatar"])


def test_the_networks_in_the_file_give_the_talkers_coefficients(avatar: Avatar, file: bytes) -> None:
    """As docs/web.md writes them down."""
    t = load(file)
    heard = torch.randn(5, avatar.listener.channels).numpy()
    drive = Director(avatar.motion, 1.0, None).take(heard, 7, None).drive
    with torch.inference_mode():
        expected = avatar.blendshapes.coefficients(avatar.talker.conditions(drive))
    angles = drive.conditions["eye"][:, None] * torch.pi / 2 * torch.arange(1, 4)
    told = {
        "mouth": drive.conditions["audio"],
        "eye": torch.cat([angles.sin(), angles.cos() - 1], dim=1),
        "camera": drive.viewmats[:, :3].flatten(1) - t["tokens.camera.mean"],
    }
    assert facts_of(file)["conditions"] == list(told)
    hidden = t["tokens.bias"].repeat(5, 1)
    for name, values in told.items():
        hidden += (values @ t[f"tokens.{name}.inner"].T).relu() @ t[f"tokens.{name}.outer"].T
    hidden = torch.nn.functional.silu(hidden) @ t["tokens.second.weight"].T + t["tokens.second.bias"]
    found = torch.nn.functional.silu(hidden) @ t["tokens.third.weight"].T + t["tokens.third.bias"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert expected.std(dim=0).min() > 1e-3, "the test must have something that changes"


def test_the_torso_in_the_file_is_the_torso(avatar: Avatar, file: bytes) -> None:
    t, torso = load(file), avatar.torso
    assert [facts_of(file)["torso"][name] for name in ("top", "margin")] == list(torso.place)
    torch.testing.assert_close(t["torso.texture"].permute(2, 0, 1), torso.texture)
    torch.testing.assert_close(t["torso.shades"].permute(0, 3, 1, 2), torso.shades)
    torch.testing.assert_close(t["torso.flow"].permute(0, 3, 1, 2), torso.flow)
    poses = (torch.from_numpy(part).float() for part in (avatar.motion.viewmats, avatar.motion.sway))
    torch.testing.assert_close(t["motion.body"].float(), torso.guess(*poses), rtol=2e-3, atol=2e-3)
    assert t["motion.body"].float().std(dim=0).min() > 1e-3, "the test must have something that moves"


def test_it_says_what_it_is_and_carries_its_mark(avatar: Avatar, file: bytes) -> None:
    facts = facts_of(file)
    assert (
        facts["avatar"] == avatar.digest.hex()
        and facts["consent"] == "not needed"
        and "generated" in facts["synthetic"]
    )
    assert (load(file)["watermark"].numpy() == pattern(payload_of(avatar.digest))).all()


def test_the_same_avatar_is_the_same_file(avatar: Avatar, file: bytes) -> None:
    assert compact(avatar) == file


def test_who_cannot_be_shown_is_told_why(avatar: Avatar) -> None:
    deaf = replace(avatar, listener=WindowListener.__new__(WindowListener))
    with pytest.raises(GaussianTalkerError, match="mouth-code"):
        compact(deaf)
    with pytest.raises(GaussianTalkerError, match="with a torso"):
        compact(replace(avatar, torso=None))
