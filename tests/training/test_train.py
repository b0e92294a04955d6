"""From a capture's folder to an avatar's, on a capture that needs no model: seeds, folders, and parts of one's own."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_capture import write_tiny_capture

from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import read_json
from gaussiantalker.media.lock import locked
from gaussiantalker.speaking import baking
from gaussiantalker.splatting.densify import CloneSplitPrune
from gaussiantalker.talker import find_method
from gaussiantalker.training import SCHEDULES, PhotometricLoss, Trainer, train

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"listening_steps": 3, "canonical_steps": 16, "deformation_steps": 5, "points": 200, "checkpoint_every": 6}
QUICK = replace(SCHEDULES["fast"], name="quick", **SHORT)
BUSY = CloneSplitPrune(refine_every=5, grow_after=2, prune_after=2, refine_until=15, grow_grad2d=1e-6, grow_below=500)
HOW = {"method": "gaussiantalker-star", "schedule": QUICK, "encoder": "logmel", "strategy": BUSY}


@pytest.fixture(autouse=True)
def little_baking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baking, "STEPS", 20)
    monkeypatch.setattr(baking, "SNAPSHOTS", 96)


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_capture(tmp_path_factory.mktemp("captures") / "ball")


def in_another_process(code: str) -> str:
    """Runs it with this file's names, and torch's own chance."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests/fixtures"), str(Path(__file__).parent)])
    start = (
        "import torch; torch.set_num_threads(1); from test_train import *; baking.STEPS, baking.SNAPSHOTS = 20, 96\n"
    )
    command = [sys.executable, "-c", start + code]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_same_seed_is_the_same_avatar_also_when_killed(capture: Path, tmp_path: Path) -> None:
    """Here, in another process, and in one that dies in the canonical stage after a refinement and its follower."""
    train(capture, tmp_path / "one", **HOW)
    in_another_process(f"train({str(capture)!r}, {str(tmp_path / 'two')!r}, **HOW)")
    killed = "lambda trainer: os._exit(9) if trainer.steps_done == 14 else None"
    in_another_process(f"train({str(capture)!r}, {str(tmp_path / 'killed')!r}, **HOW, on_step={killed})")
    assert not (tmp_path / "killed" / "avatar.json").exists()
    in_another_process(f"train({str(capture)!r}, {str(tmp_path / 'killed')!r}, **HOW)")
    for file in ("model.safetensors", "torso.safetensors", "blendshapes.safetensors"):
        one, *others = (load_file(tmp_path / name / file) for name in ("one", "two", "killed"))
        assert file != "model.safetensors" or len(one["talker.raw.means"]) > 200, "the test must reach a refinement"
        for other in others:
            assert one.keys() == other.keys()
            assert not [name for name in one if not torch.equal(one[name], other[name])]


def test_another_seed_is_another_avatar(capture: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        train(capture, tmp_path / str(seed), **HOW, seed=seed, torso="plates")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("0", "1"))
    assert not torch.equal(one["talker.offsets.first.weight"], other["talker.offsets.first.weight"])


def test_what_is_asked_for_otherwise_is_refused(capture: Path, tmp_path: Path) -> None:
    out = train(capture, tmp_path / "avatar", **HOW, torso="plates")
    finished = (out / "avatar.json").stat().st_mtime_ns
    assert read_json(out / "avatar.json")["speech"]["encoder"] == "logmel"
    assert read_json(out / "avatar.json")["consent"] == Capture.load(capture).consent
    train(capture, out, **HOW, torso="plates")
    assert (out / "avatar.json").stat().st_mtime_ns == finished, "the same again must do nothing"

    class Mine(PhotometricLoss):
        """Under another name."""

    others = (
        {"seed": 1},
        {"encoder": None},
        {"strategy": "markov-chain"},
        {"strategy": replace(BUSY, refine_every=6)},
        {"method": replace(find_method("gaussiantalker-star"), feedforward=64)},
        {"loss": Mine(QUICK)},
    )
    for other in others:
        with pytest.raises(GaussianTalkerError, match="trained on another capture or in another way"):
            train(capture, out, **{**HOW, "torso": "plates", **other})


def test_the_second_in_a_folder_is_told_who_works_there(capture: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "avatar", "train"), pytest.raises(GaussianTalkerError, match="is in use"):
        train(capture, tmp_path / "avatar", **HOW)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"seed": -1}, "-1 cannot be a seed"),
        ({"strategy": "grow"}, "no strategy 'grow': choose one of clone-split-prune, markov-chain"),
        ({"encoder": "ear"}, "no speech encoder 'ear'"),
        (
            {"method": replace(find_method("egstalker"), encoding="cube")},
            "no encoding 'cube': choose one of dense, hash",
        ),
    ],
)
def test_what_does_not_exist_is_one_sentence(capture: Path, tmp_path: Path, how: dict, sentence: str) -> None:
    with pytest.raises(GaussianTalkerError, match=sentence):
        train(capture, tmp_path / "avatar", **{**HOW, **how})


def test_loss_and_steps_of_ones_own(capture: Path, tmp_path: Path) -> None:
    class Darker(PhotometricLoss):
        """Nothing but black costs nothing."""

        def __call__(self, image, alpha, shots, step, canonical):
            return {"light": image.mean()}

    seen: list[tuple[int, float]] = []

    def watch(trainer: Trainer) -> None:
        seen.append((trainer.steps_done, trainer.loss))

    train(capture, tmp_path / "avatar", **HOW, torso="plates", loss=Darker(QUICK), on_step=watch)
    assert [step for step, _ in seen] == list(range(1, 22))
    assert seen[-1][1] < seen[0][1]
