"""The two training stages, on a small scene whose truth is known: a ball with a mouth that opens with the sound."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Silent
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, METHODS, Drive, Shots, Talker, find_method, render
from gaussiantalker.training.losses import patch_loss
from gaussiantalker.training.schedule import find_schedule
from gaussiantalker.training.trainer import Trainer

SIZE, FRAMES, CHANNELS = 40, 30, 4
TINY = replace(
    find_schedule("demo"),
    listening_steps=20,
    canonical_steps=40,
    deformation_steps=60,
    sh_degree_every=20,
    checkpoint_every=15,
    batch=2,
)


class Ball:
    """Footage of a disc on a dark wall; a black mouth in it opens as the sound says."""

    def __init__(self) -> None:
        self.K = torch.tensor([[80.0, 0, SIZE / 2], [0, 80.0, SIZE / 2], [0, 0, 1]])
        self.viewmats = torch.eye(4).repeat(FRAMES, 1, 1)
        self.viewmats[:, 2, 3] = 8
        self.blink = torch.zeros(FRAMES)
        self.viewmats[:, 0, 3] = torch.linspace(-0.2, 0.2, FRAMES)
        self.opening = torch.from_numpy(np.random.default_rng(3).random(FRAMES)).float()
        self.contexts = self.opening.view(-1, 1, 1, 1).expand(-1, 8, 16, CHANNELS).numpy()
        tracking = SimpleNamespace(lip_opening=self.opening.numpy(), blendshapes=np.zeros((FRAMES, 52)))
        self.capture = SimpleNamespace(tracking=tracking)

    def drive(self, frames: np.ndarray) -> Drive:
        seen = {AUDIO: torch.from_numpy(self.contexts[frames]), EYE: torch.zeros(len(frames))}
        return Drive(seen, self.viewmats[frames], torch.tensor(frames))

    def shots(self, frames: np.ndarray) -> Shots:
        y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
        images, heads, lips = [], [], []
        for frame in frames.tolist():
            middle = SIZE / 2 + 10 * float(self.viewmats[frame, 0, 3])
            head = ((x - middle) ** 2 + (y - SIZE / 2) ** 2 < 100).float()
            mouth = ((x - middle).abs() < 4) & ((y - 25).abs() < 4 * self.opening[frame])
            images.append((head * ~mouth)[..., None] * torch.tensor([0.9, 0.7, 0.6]) + 0.1)
            heads.append(head)
            lips.append([int(middle) - 5, 20, int(middle) + 5, 30])
        drive = self.drive(frames)
        plate = torch.full((len(frames), SIZE, SIZE, 3), 0.1)
        boxes = torch.tensor(lips)
        return Shots(torch.stack(images), plate, torch.stack(heads), boxes, boxes, drive)


def a_trainer(schedule=TINY, method: str = "gaussiantalker-star") -> Trainer:
    rng, footage = np.random.default_rng(0), Ball()
    points = rng.normal(size=(300, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    torch.manual_seed(0)
    parts = replace(find_method(method), resolutions=(16, 32), hash_table_bits=8, agents=8)
    talker = Talker(parts, Gaussians.from_points(points, sh_degree=1), CHANNELS)
    talker.conditions.fit(footage.drive(np.arange(FRAMES)))
    return Trainer(talker, footage, np.arange(FRAMES), schedule, seed=0)


class StopAt(Silent):
    """Ctrl-C at the given update."""

    def __init__(self, update: int) -> None:
        self.left = update

    def update(self, done: int, **numbers: float) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("stopped_at", [7, 40, 63])
def test_going_on_equals_never_having_stopped(tmp_path: Path, stopped_at: int) -> None:
    whole = a_trainer()
    whole.run(tmp_path / "whole", {}, SILENT)
    with pytest.raises(KeyboardInterrupt):
        a_trainer().run(tmp_path / "parts", {}, StopAt(stopped_at))
    resumed = a_trainer()
    resumed.run(tmp_path / "parts", {}, SILENT)
    ours = resumed.talker.state_dict()
    for name, value in whole.talker.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=0, msg=name)


def test_steps_of_the_second_stage_are_told_and_can_be_watched(tmp_path: Path) -> None:
    watched, trainer = [], a_trainer()
    trainer.after_step = lambda step: watched.append((step, trainer.steps_done))
    trainer.run(tmp_path / "checkpoint", {}, SILENT)
    assert watched == [(step, 40 + step) for step in range(1, 61)]
    assert trainer.steps_done == 100


def test_the_mouth_follows_the_sound(tmp_path: Path) -> None:
    """The second stage adds the mouth: with the sound, the lips must be far nearer the truth than without."""
    schedule = replace(TINY, canonical_steps=150, deformation_steps=250)
    trainer = a_trainer(schedule)
    shots = trainer.footage.shots(np.arange(FRAMES))
    trainer.run(tmp_path / "checkpoint", {}, SILENT)

    talker = trainer.talker

    def lips_under(drive: Drive) -> float:
        with torch.no_grad():
            image, _, _ = render(talker.deform(drive), drive.viewmats, trainer.footage.K, shots.plate, 1)
        return float(patch_loss(image, shots.image, shots.lips))

    heard = shots.drive.conditions[AUDIO]
    deaf = shots.drive.given(audio=heard.mean(dim=0).expand_as(heard))
    assert lips_under(shots.drive) < 0.6 * lips_under(deaf)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(tmp_path: Path, method: str) -> None:
    trainer = a_trainer(replace(TINY, deformation_steps=90), method)
    shots = trainer.footage.shots(np.arange(FRAMES))

    def loss() -> float:
        with torch.no_grad():
            splats = trainer.talker.deform(shots.drive)
            image, alpha, _ = render(splats, shots.drive.viewmats, trainer.footage.K, shots.plate, 1)
            return float(trainer.photometric(image, alpha, shots, 0, canonical=False))

    before = loss()
    trainer.run(tmp_path / "checkpoint", {}, SILENT)
    assert loss() < 0.5 * before


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        a_trainer().run(tmp_path / "checkpoint", {"seed": 0}, StopAt(3))
    with pytest.raises(GaussianTalkerError, match="another training"):
        a_trainer().run(tmp_path / "checkpoint", {"seed": 1}, SILENT)
