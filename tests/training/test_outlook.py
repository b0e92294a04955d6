"""What a training shows while it runs: its time, told beforehand and anew, and pictures that cost it nothing."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_capture import write_tiny_capture

from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.image import read_image
from gaussiantalker.progress import Silent
from gaussiantalker.speaking import baking
from gaussiantalker.training import SCHEDULES, Trainer, outlook, train
from gaussiantalker.training.outlook import PICTURE, Outlook, _spoken

QUICK = replace(SCHEDULES["fast"], listening_steps=3, canonical_steps=20, deformation_steps=6, points=200)
HOW = {"method": "gaussiantalker-star", "schedule": QUICK, "encoder": "logmel", "torso": "plates"}


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_the_time_is_told_from_the_first_steps_of_both_stages(tmp_path: Path) -> None:
    """Steps of the first stage take half a second, of the second three, though two were expected."""
    told, trainer = Notes(), SimpleNamespace(steps=(100, 150, 50), seconds=0.0, time_deformation=lambda: 2.0)
    watch = Outlook(tmp_path / PICTURE, told, lambda trainer: None)
    for trainer.stage, step_seconds in enumerate((0.5, 3.0, 3.0)):
        for trainer.step in range(1, 40):
            trainer.seconds += step_seconds if trainer.step > 3 else 20.0  # the first ones compile
            watch.shown = trainer.seconds  # no time for a picture
            watch(trainer)
    assert [note.split(" of training")[0] for note in told.notes] == ["About 7 minutes", "About 9 minutes"]
    assert str(tmp_path / PICTURE) in told.notes[0]
    assert [_spoken(s) for s in (3, 64, 130, 7000, 7300)] == [
        "10 seconds",
        "60 seconds",
        "2 minutes",
        "117 minutes",
        "2 hours",
    ]


def test_watching_changes_nothing_that_is_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baking, "STEPS", 20)
    monkeypatch.setattr(baking, "SNAPSHOTS", 96)
    capture = write_tiny_capture(tmp_path / "ball")
    size = Capture.load(capture).size
    monkeypatch.setattr(outlook, "WARM_UP", 1_000)
    alone = train(capture, tmp_path / "alone", **HOW)
    monkeypatch.setattr(outlook, "PICTURE_SECONDS", 0)
    monkeypatch.setattr(outlook, "WARM_UP", 1)
    monkeypatch.setattr(outlook, "TIMED", 2)
    seen: list[np.ndarray] = []

    def watch(trainer: Trainer) -> None:
        if trainer.steps_done > 1:
            seen.append(read_image(tmp_path / "watched" / PICTURE))

    told = Notes()
    watched = train(capture, tmp_path / "watched", **HOW, on_step=watch, progress=told)
    assert sum("of training are left on this machine" in note for note in told.notes) == 2
    assert all(picture.shape == (2 * size, 3 * size, 3) for picture in seen)
    truth, render = (seen[-1][part].astype(float) for part in (slice(size), slice(size, None)))
    early = seen[0][size:].astype(float)
    assert np.abs(render - truth).mean() < np.abs(early - truth).mean(), "pictures show what is learnt"
    assert not (watched / PICTURE).exists()
    for file in ("model.safetensors", "blendshapes.safetensors"):
        one, other = load_file(watched / file), load_file(alone / file)
        assert all(torch.equal(one[name], other[name]) for name in one | other), file


def test_a_picture_that_is_not_ours_is_kept(tmp_path: Path) -> None:
    capture, mine = write_tiny_capture(tmp_path / "ball"), tmp_path / "avatar" / PICTURE
    mine.parent.mkdir()
    mine.write_bytes(b"my holiday")
    with pytest.raises(GaussianTalkerError, match="was not written by training"):
        train(capture, mine.parent, **HOW)
    assert mine.read_bytes() == b"my holiday"
