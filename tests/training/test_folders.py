"""Where an avatar says that its capture lies."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import gaussiantalker.training.train  # noqa: F401 (the package's name for it is the function)


def test_a_symbolic_link_in_the_way_does_not_lose_the_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`avatars` is a link to another disk: what is relative to it starts from where it really is."""
    capture = tmp_path / "captures" / "me"
    real = tmp_path / "disk" / "deep" / "avatars" / "me"
    capture.mkdir(parents=True), real.mkdir(parents=True)
    (tmp_path / "avatars").symlink_to(real.parent, target_is_directory=True)
    module = sys.modules["gaussiantalker.training.train"]
    monkeypatch.setattr(module, "_motion", lambda *_: (None, None))
    trainer = SimpleNamespace(seconds=1.0, steps_done={}, curve=[], device="cpu")
    source = SimpleNamespace(path=capture, camera=None, consent="mine")
    avatar = module._avatar(tmp_path / "avatars" / "me", trainer, torch.nn.Identity(), None, source, None, {})
    assert (real / avatar.info["capture"]).resolve() == capture
