"""Methods and ablations are values that all make a working talker."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hearing import something_heard

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, Drive, Talker, find_method
from gaussiantalker.talker.method import ABLATIONS, METHODS, Method


@pytest.mark.parametrize("name", [*METHODS, *ABLATIONS])
def test_every_method_makes_a_talker_whose_trained_parts_get_gradients(name: str) -> None:
    torch.manual_seed(0)
    method = find_method(name)
    gaussians = Gaussians.from_points(np.random.default_rng(0).normal(size=(20, 3)), sh_degree=1)
    talker = Talker(method, gaussians, speech_channels=4)
    sum((part - 0.3).square().sum() for part in talker.canonical()).backward()
    assert silent(talker.canonical_heads, "last") == []
    talker.bake()
    viewmats = torch.eye(4).repeat(2, 1, 1)
    drive = Drive({AUDIO: something_heard(name, 2, 4), EYE: torch.rand(2)}, viewmats, torch.arange(2))
    splats = talker.deform(drive)
    sum((part - 0.3).square().sum() for part in splats).backward()
    assert silent(talker.offsets, "last") == []
    assert all(torch.isfinite(part).all() for part in splats)


def silent(part: torch.nn.Module, name: str) -> list[str]:
    """Parameters of this name that no gradient reaches."""
    every = [(key, value) for key, value in part.named_parameters() if name in key]
    return [key for key, value in every if value.grad is None or not value.grad.any()]


def test_ablations_change_one_thing() -> None:
    for ablation in ABLATIONS.values():
        if ablation.name in ("egstalker/public-code", "egstalker/kan-alone"):
            continue  # a row of the paper's table, and its code, which change several
        method = METHODS[ablation.name.split("/")[0]]
        changed = {
            field.name for field in fields(Method) if getattr(ablation, field.name) != getattr(method, field.name)
        } - {"name", "title", "regressor_width"}
        assert len(changed) == 1, ablation.name


def test_an_unknown_method_is_answered_with_the_papers_methods() -> None:
    with pytest.raises(GaussianTalkerError, match="choose one of mouth-code, gaussiantalker, gaussiantalker-star"):
        find_method("gaussiantaker")
