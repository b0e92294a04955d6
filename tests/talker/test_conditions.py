"""What the tokens carry."""

import torch

from gaussiantalker.talker.conditions import eye_encoding


def test_the_more_an_eye_shuts_the_further_it_is_from_open() -> None:
    codes = eye_encoding(torch.linspace(0, 1, 21))
    from_open, steps = codes.norm(dim=-1), (codes[1:] - codes[:-1]).norm(dim=-1)
    assert not codes[0].any()
    assert from_open[-1] > 2.5
    assert (from_open[10] < from_open[-1]) and (from_open[5] > 1), "half shut lies between"
    assert steps.max() < 0.5, "neighbouring blinks share most of their code"
