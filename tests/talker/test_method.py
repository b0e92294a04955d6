"""Methods and ablations are values that all make a working talker."""

import numpy as np
import pytest
import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import Drive, Talker, find_method
from gaussiantalker.talker.method import ABLATIONS, METHODS


@pytest.mark.parametrize("name", [*METHODS, *ABLATIONS])
def test_every_method_makes_a_talker_whose_trained_parts_get_gradients(name: str) -> None:
    torch.manual_seed(0)
    method = find_method(name)
    gaussians = Gaussians.from_points(np.random.default_rng(0).normal(size=(20, 3)), sh_degree=1)
    talker = Talker(method, gaussians, speech_channels=4)
    sum((part - 0.3).square().sum() for part in talker.canonical()).backward()
    predicted = [head.weight.grad for head in talker.canonical_heads.heads.last.values()] if method.predicted else []
    assert len(predicted) == len(method.predicted) and all(grad.abs().sum() > 0 for grad in predicted)
    talker.bake()
    viewmats = torch.eye(4).repeat(2, 1, 1)
    splats = talker.deform(Drive(torch.randn(2, 8, 16, 4), torch.rand(2), viewmats))
    assert all(torch.isfinite(part).all() for part in splats)
    assert set(talker.offsets.last) == set(method.deformed)


def test_ablations_change_one_thing() -> None:
    star = find_method("gaussiantalker-star")
    for method in ABLATIONS.values():
        changed = [
            field
            for field in ("layers", "predicted", "deformed", "conditions", "resolutions")
            if getattr(method, field) != getattr(star, field)
        ]
        assert len(changed) == 1, method.name


def test_an_unknown_method_is_answered_with_the_papers_methods() -> None:
    with pytest.raises(GaussianTalkerError, match="choose one of gaussiantalker, gaussiantalker-star"):
        find_method("gaussiantaker")
