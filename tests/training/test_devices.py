"""Training leaves nothing behind on another device: shown on torch's device without memory, "meta"."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hearing import something_heard
from one_device import META, OneDevice

from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, METHODS, Drive, Footage, Shots, Talker, find_method
from gaussiantalker.training.losses import PhotometricLoss
from gaussiantalker.training.schedule import SCHEDULES


def test_the_guard_sees_a_mixture() -> None:
    with OneDevice(), pytest.raises(AssertionError, match="mixes"):
        torch.mm(torch.ones(2, 2), torch.ones(2, 2, device=META))


@pytest.mark.parametrize("name", METHODS)
def test_a_step_of_training_stays_on_its_device(name: str) -> None:
    gaussians = Gaussians.from_points(np.random.default_rng(0).normal(size=(20, 3)), sh_degree=1)
    talker = Talker(find_method(name), gaussians, speech_channels=4)
    seen = Drive({AUDIO: torch.randn(5, 8, 16, 4), EYE: torch.rand(5)}, torch.randn(5, 4, 4), torch.arange(5))
    talker.conditions.fit(seen)
    talker.to(META)
    viewmats, boxes = torch.eye(4).repeat(2, 1, 1), torch.tensor([[2, 2, 9, 9]] * 2)
    drive = Drive({AUDIO: something_heard(name, 2, 4), EYE: torch.rand(2)}, viewmats, torch.arange(2))
    shots = Shots(torch.rand(2, 32, 32, 3), torch.rand(2, 32, 32, 3), torch.ones(2, 32, 32), boxes, boxes, drive)
    photometric = PhotometricLoss(SCHEDULES["demo"], device=META)
    with OneDevice():
        there = shots.to(talker.device)
        for splats in (talker.canonical(), talker.deform(there.drive)):
            seen = sum(part.mean() for part in splats)
            image, alpha = seen + there.plate, seen + there.plate[..., :1]
            sum(photometric(image, alpha, there, 0, canonical=False).values()).backward()
    assert all(p.grad.device == META for p in talker.parameters() if p.grad is not None)


def test_what_is_behind_the_head_is_made_where_the_torso_is() -> None:
    class Torso:
        background = torch.zeros(32, 32, 3, device=META)

        def __call__(self, codes: torch.Tensor) -> torch.Tensor:
            return self.background + codes[:, :1, None, None]

    footage = Footage.__new__(Footage)
    footage.capture = SimpleNamespace(plates=np.zeros((2, 32, 32, 3), np.uint8), labels=np.ones((2, 32, 32), np.uint8))
    footage.torso, footage.codes = Torso(), torch.ones(2, 5)
    with OneDevice():
        behind = footage._behind(np.arange(2))
    assert behind.device == META and behind.shape == (2, 32, 32, 3)
