"""What the tokens carry."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.talker import AUDIO, EYE, TOKENS, Drive, Token, find_method
from gaussiantalker.talker.conditions import Conditions, _eye_encoding


def test_the_more_an_eye_shuts_the_further_it_is_from_open() -> None:
    codes = _eye_encoding(torch.linspace(0, 1, 21))
    from_open, steps = codes.norm(dim=-1), (codes[1:] - codes[:-1]).norm(dim=-1)
    assert not codes[0].any()
    assert from_open[-1] > 2.5
    assert (from_open[10] < from_open[-1]) and (from_open[5] > 1), "half shut lies between"
    assert steps.max() < 0.5, "neighbouring blinks share most of their code"


class Smile(Token):
    """How the corners of the mouth are."""

    shape = (2,)

    def __init__(self, name, method, width, heard):
        super().__init__(name)
        self.widen = torch.nn.Linear(2, width)

    def seen(self, capture):
        return capture.tracking.blendshapes[:, :2]

    def forward(self, drive):
        return self.widen(self.value(drive))


def a_drive(frames: int) -> Drive:
    seen = {AUDIO: torch.randn(frames, 8, 16, 4), EYE: torch.rand(frames)}
    return Drive(seen, torch.eye(4).repeat(frames, 1, 1), torch.arange(frames))


def test_a_condition_of_ones_own_is_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOKENS, "smile", Smile)
    star = find_method("gaussiantalker-star")
    conditions = Conditions(replace(star, conditions=(*star.conditions, "smile")), width=8, heard=4)
    scores = np.random.default_rng(0).random((30, 5)).astype(np.float32)
    seen = conditions.seen(SimpleNamespace(tracking=SimpleNamespace(blendshapes=scores)))
    assert list(seen) == ["smile"]
    drive = a_drive(30).given(**seen)
    conditions.fit(drive)
    tokens = conditions(drive)
    assert tokens.shape == (30, 5, 8)
    usual = conditions(a_drive(30))[:, 4]
    torch.testing.assert_close(usual, conditions["smile"].widen(seen["smile"].mean(dim=0)).expand(30, 8))
    assert (tokens[:, 4] - usual).abs().max() > 0.01


def test_an_unknown_condition_is_answered_with_those_there_are() -> None:
    method = replace(find_method("gaussiantalker"), conditions=("audio", "mood"))
    with pytest.raises(GaussianTalkerError, match="no condition 'mood': choose one of audio, mouth, eye, camera, null"):
        Conditions(method, 8, 4)


def test_a_drive_can_be_cut_in_frames() -> None:
    drive = a_drive(5)._replace(articulation=torch.rand(5))
    part = drive.at(torch.tensor([3, 1]))
    assert part.frames.tolist() == [3, 1] and torch.equal(part.articulation, drive.articulation[[3, 1]])
    assert torch.equal(part.conditions[AUDIO], drive.conditions[AUDIO][[3, 1]])
