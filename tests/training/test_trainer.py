"""Training by stages, on a small scene whose truth is known: a ball with a mouth that opens with the sound."""

import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gaussiantalker.errors import Failure, GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress, Silent
from gaussiantalker.splatting.densify import CloneSplitPrune
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.splatting.mcmc import MarkovChain
from gaussiantalker.talker import AUDIO, EYE, METHODS, Drive, Shots, Splats, Talker, find_method, render
from gaussiantalker.training import losses
from gaussiantalker.training.checkpoint import read_checkpoint, write_checkpoint
from gaussiantalker.training.losses import patch_loss
from gaussiantalker.training.schedule import SCHEDULES
from gaussiantalker.training.strategies import Strategy
from gaussiantalker.training.trainer import Trainer

SIZE, FRAMES, CHANNELS = 40, 30, 4
TINY = replace(
    SCHEDULES["demo"],
    listening_steps=20,
    canonical_steps=40,
    deformation_steps=60,
    finish_steps=0,
    sh_degree_every=20,
    checkpoint_every=15,
    batch=2,
)


class Ball:
    """Footage of a disc on a dark wall; a black mouth in it opens as the sound says."""

    def __init__(self, code: bool = False) -> None:
        self.K = torch.tensor([[80.0, 0, SIZE / 2], [0, 80.0, SIZE / 2], [0, 0, 1]])
        self.viewmats = torch.eye(4).repeat(FRAMES, 1, 1)
        self.viewmats[:, 2, 3] = 8
        self.blink = torch.zeros(FRAMES)
        self.viewmats[:, 0, 3] = torch.linspace(-0.2, 0.2, FRAMES)
        self.opening = torch.from_numpy(np.random.default_rng(3).random(FRAMES)).float()
        self.heard = self.opening.view(-1, 1, 1, 1).expand(-1, 8, 16, CHANNELS).numpy()
        if code:
            self.heard = self.heard[:, 0, 0]
        tracking = SimpleNamespace(lip_opening=self.opening.numpy(), blendshapes=np.zeros((FRAMES, 52)))
        self.capture = SimpleNamespace(tracking=tracking)

    def drive(self, frames: np.ndarray) -> Drive:
        seen = {AUDIO: torch.from_numpy(self.heard[frames]), EYE: torch.zeros(len(frames))}
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


# As often as a short test can see it; every Gaussian that moves is cloned or split.
BUSY = CloneSplitPrune(
    refine_every=8, grow_after=5, prune_after=5, refine_until=28, grow_grad2d=1e-5, prune_opacity=0.11, grow_below=300
)
WANDERING = MarkovChain(refine_every=8, refine_after=5, refine_until=28, most=250, dead_opacity=0.1)
SHORT = replace(TINY, listening_steps=3, canonical_steps=30, deformation_steps=6, finish_steps=6, checkpoint_every=11)
PARTLY = ("gaussiantalker-star/predict-nothing", "gaussiantalker-star/predict-shape", "gaussiantalker-star/predict-all")


class Edges:
    """Stands in for LPIPS."""

    def __init__(self, net: str, progress: Progress, device: torch.device) -> None:
        pass

    def loss(self, image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return (image - truth).diff(dim=1).abs().mean()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "Lpips", Edges)


def a_trainer(
    schedule=TINY, method: str = "gaussiantalker-star", strategy: Strategy | None = None, points: int = 300
) -> Trainer:
    parts = replace(find_method(method), resolutions=(16, 32), hash_table_bits=8, agents=8)
    rng, footage = np.random.default_rng(0), Ball(code="mouth" in parts.conditions)
    points = rng.normal(size=(points, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    torch.manual_seed(0)
    talker = Talker(parts, Gaussians.from_points(points, sh_degree=1), CHANNELS)
    talker.conditions.fit(footage.drive(np.arange(FRAMES)))
    return Trainer(talker, footage, np.arange(FRAMES), schedule, seed=0, strategy=strategy)


class StopAt(Silent):
    """Ctrl-C, or another end, at the given update."""

    def __init__(self, update: int, end: type[BaseException] = KeyboardInterrupt) -> None:
        self.left, self.end = update, end

    def update(self, done: int, **numbers: float) -> None:
        self.left -= 1
        if not self.left:
            raise self.end


class Killed(BaseException):
    """Nobody catches it, as nobody does a signal that kills."""


def a_busy_trainer(method: str = "gaussiantalker-star", strategy: Strategy = BUSY) -> Trainer:
    return a_trainer(SHORT, method, strategy, points=150)


BUSY_TRAININGS = [*((name, BUSY) for name in (*METHODS, *PARTLY)), (PARTLY[0], WANDERING), (PARTLY[2], WANDERING)]
in_every_way = pytest.mark.parametrize(
    ("method", "strategy"), BUSY_TRAININGS, ids=[f"{name}-{type(how).__name__}" for name, how in BUSY_TRAININGS]
)


@in_every_way
def test_going_on_equals_never_having_stopped(tmp_path: Path, method: str, strategy: Strategy) -> None:
    """Stopped or killed before, between and after refinements, and in the second stage."""
    whole = a_busy_trainer(method, strategy)
    whole.run(tmp_path / "whole")
    expected = whole.talker.state_dict()
    assert len(expected["raw.means"]) != 150, "the test must reach a refinement"
    for place, end in ((5, KeyboardInterrupt), (15, Killed), (22, KeyboardInterrupt), (36, Killed)):
        parts = tmp_path / f"{place}"
        with pytest.raises(end):
            a_busy_trainer(method, strategy).run(parts, progress=StopAt(place, end))
        resumed = a_busy_trainer(method, strategy)
        resumed.run(parts)
        ours = resumed.talker.state_dict()
        for name, value in expected.items():
            torch.testing.assert_close(ours[name], value, rtol=0, atol=0, msg=f"{place}: {name}")


@in_every_way
def test_what_is_learnt_is_the_talkers_before_and_after_refinements(method: str, strategy: Strategy) -> None:
    trainer, counts, moved = a_busy_trainer(method, strategy), [], []
    learnt = {"means", "log_scales", "quats", "opacity_logits", "sh"} & set(trainer.optimizers)
    opacity = "opacity_logits" in learnt
    assert opacity == ("opacity" not in trainer.talker.method.predicted)
    for trainer.step in range(27):
        before = trainer.talker.raw["opacity_logits"].detach().clone()
        trainer._canonical_step()
        raw = trainer.talker.raw
        counts.append(len(raw["means"]))
        assert {len(value) for value in raw.values()} == {counts[-1]}
        for name in learnt:
            (group,) = trainer.optimizers[name].param_groups
            assert group["params"][0] is raw[name], name
            for parameter, memory in trainer.optimizers[name].state.items():
                assert parameter is raw[name] and memory["exp_avg"].shape == raw[name].shape
        if len(before) == counts[-1]:
            moved.append(float((raw["opacity_logits"].detach() - before).abs().max()))
    assert len(set(counts)) > 1
    assert min(moved[-4:]) > 1e-4 if opacity else max(moved) < 1e-4


def test_a_head_that_sits_still_keeps_its_gaussians() -> None:
    """As those of news and studios do: Gaussians are too big by the head's measure, not by how far it moves."""
    trainer = a_busy_trainer(PARTLY[0], replace(BUSY, prune_big_after=5, grow_grad2d=1e9))
    trainer.footage.viewmats[:, 0, 3] *= 0.1
    with torch.no_grad():
        trainer.talker.raw["log_scales"][:] = -4
        trainer.talker.raw["log_scales"][:20] = -9
    trainer._prepare_stage()
    for trainer.step in range(27):
        trainer._canonical_step()
    assert len(trainer.talker.raw["means"]) > 100


def test_a_strategy_changes_the_sum_that_is_seen_and_not_what_the_triplane_says() -> None:
    """Splats before and after a refinement that only clones are the same Gaussians, some of them twice."""
    calm = replace(BUSY, grow_scale3d=1e9, prune_opacity=0.0, prune_big_after=1000, grow_below=1000)
    trainer = a_busy_trainer("gaussiantalker-star/predict-all", calm)
    for trainer.step in range(8):
        trainer._canonical_step()
    trainer.step = 8
    shots = trainer._shots(1)
    splats = trainer.talker.canonical()
    image, _, info = render(splats, shots.drive.viewmats, trainer.K, shots.plate, 0)
    image.mean().backward()
    trainer._refine(splats, info)
    after, count = trainer.talker.canonical(), len(splats.means)
    assert len(after.means) > count
    for name in ("opacities", "scales", "quats"):
        torch.testing.assert_close(getattr(after, name)[:count], getattr(splats, name), atol=1e-5, rtol=1e-4)


def damaged(trainer: Trainer, what: str) -> Trainer:
    """With one number in frame 7 that is none."""
    if what == "audio":
        trainer.footage.heard = trainer.footage.heard.copy()
        trainer.footage.heard[7, 3, 2, 1] = np.nan
    elif what == "pose":
        trainer.footage.viewmats[7, 1, 3] = torch.inf
    elif what == "L1":
        shots = trainer.footage.shots
        trainer.footage.shots = lambda frames: _darkened(shots(frames), frames)
    return trainer


def _darkened(shots: Shots, frames: np.ndarray) -> Shots:
    shots.image[np.flatnonzero(frames == 7)] = torch.nan
    return shots


@pytest.mark.parametrize(("what", "told"), [("audio", "the audio"), ("pose", "the pose"), ("L1", "term L1")])
def test_training_stops_before_it_learns_what_is_no_number(tmp_path: Path, what: str, told: str) -> None:
    trainer = damaged(a_trainer(), what)
    with pytest.raises(Failure, match=f"before step .*, since .*{told} is not a finite number in frame .*7"):
        trainer.run(tmp_path / "checkpoint")
    assert all(value.isfinite().all() for value in trainer.talker.state_dict().values())
    if (tmp_path / "checkpoint").exists():
        tensors, facts = read_checkpoint(tmp_path / "checkpoint")
        assert all(value.isfinite().all() for value in tensors.values()) and facts["step"] % TINY.checkpoint_every == 0


def test_a_gradient_that_is_no_number_is_told(tmp_path: Path) -> None:
    def steep(image: torch.Tensor, alpha: torch.Tensor, shots: Shots, step: int, canonical: bool) -> dict:
        edge = (image - image.detach()).abs().sqrt().mean()  # a number, whose slope is none
        return {"L1": (image - shots.image).abs().mean(), "edge": edge if step > 2 else 0 * image.mean()}

    trainer = a_trainer()
    trainer.losses = steep
    with pytest.raises(Failure, match="before step 4 of the stage 'canonical head', since the gradient of raw"):
        trainer.run(tmp_path / "checkpoint")
    assert trainer.step == 3 and all(value.isfinite().all() for value in trainer.talker.state_dict().values())


@pytest.mark.usefixtures("heeds_control_c")
@pytest.mark.parametrize("step", [5, 16, 24])
def test_ctrl_c_is_honoured_between_steps(tmp_path: Path, step: int) -> None:
    """A real signal in the midst of a step, also of one that refines: what is kept goes on bit for bit."""
    whole = a_busy_trainer()
    whole.run(tmp_path / "whole")
    stopped = a_busy_trainer()
    refine = stopped._refine

    def interrupted(splats: Splats, info: dict) -> None:
        if stopped.step == step:
            signal.raise_signal(signal.SIGINT)
        refine(splats, info)

    stopped._refine = interrupted
    with pytest.raises(KeyboardInterrupt):
        stopped.run(tmp_path / "parts")
    assert stopped.step == step + 1
    resumed = a_busy_trainer()
    resumed.run(tmp_path / "parts")
    for name, value in whole.talker.state_dict().items():
        torch.testing.assert_close(resumed.talker.state_dict()[name], value, rtol=0, atol=0, msg=name)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("heeds_control_c")
def test_a_second_ctrl_c_stops_at_once_and_keeps_no_half_step(tmp_path: Path) -> None:
    trainer = a_busy_trainer()
    refine = trainer._refine

    def interrupted(splats: Splats, info: dict) -> None:
        if trainer.step == 16:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        refine(splats, info)

    trainer._refine = interrupted
    with pytest.raises(KeyboardInterrupt):
        trainer.run(tmp_path / "parts")
    assert read_checkpoint(tmp_path / "parts")[1]["step"] == SHORT.checkpoint_every


def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        a_trainer().run(tmp_path / "checkpoint", progress=StopAt(20))
    whole = (tmp_path / "checkpoint").read_bytes()
    tensors, facts = read_checkpoint(tmp_path / "checkpoint")
    broken = {"cut": whole[:1000], "empty": b"", "other": b"x" * 5000, "head": whole[:8] + b"\0" * 100 + whole[108:]}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    write_checkpoint(tmp_path / "lacking", {k: v for k, v in tensors.items() if k != "poses"}, facts)
    write_checkpoint(tmp_path / "other-sizes", tensors | {"talker/raw.sh": torch.zeros(3, 4, 3)}, facts)
    write_checkpoint(tmp_path / "no-facts", tensors, {"recipe": {}})
    with safe_open(tmp_path / "checkpoint", framework="pt") as file:
        about = file.metadata()
    key = next(name for name in tensors if name.endswith("/exp_avg"))
    for name, wrong in {"kind": tensors[key].to(torch.int16), "shape": tensors[key][..., None]}.items():
        save_file(tensors | {key: wrong}, tmp_path / name, about)
    write_checkpoint(tmp_path / "not-finite", tensors | {"poses": tensors["poses"] + torch.nan}, facts)
    for name in (*broken, "lacking", "other-sizes", "no-facts", "kind", "shape", "not-finite"):
        with pytest.raises(GaussianTalkerError, match="is damaged: remove it"):
            a_trainer().run(tmp_path / name)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, True])
def test_a_seed_that_is_none_is_one_sentence(seed: float) -> None:
    with pytest.raises(GaussianTalkerError, match="cannot be a seed: give a whole number from 0"):
        Trainer(a_trainer().talker, Ball(), np.arange(FRAMES), TINY, seed)


def test_steps_of_both_stages_can_be_watched(tmp_path: Path) -> None:
    watched, trainer = [], a_trainer()
    trainer.on_step = lambda trainer: watched.append((trainer.stage, trainer.step, trainer.steps_done))
    trainer.run(tmp_path / "checkpoint")
    assert watched[:40] == [(0, step, step) for step in range(1, 41)]
    assert watched[40:] == [(1, step, 40 + step) for step in range(1, 61)]
    assert trainer.steps_done == 100


def test_the_finish_takes_small_steps_by_a_sharper_measure(tmp_path: Path) -> None:
    """Optimizers forget the larger gradients of the stage before, whose rates would undo what it learnt."""
    trainer, seen = a_trainer(replace(SHORT, finish_steps=8)), {}

    def look(trainer: Trainer) -> None:
        if trainer.stage:
            terms = trainer.losses(*_rendered(trainer), trainer.footage.shots(np.arange(2)), 0, canonical=False)
            state = next(iter(trainer.optimizers["network"].state.values()))
            rate = trainer.optimizers["triplane"].param_groups[0]["lr"]
            seen.setdefault(trainer.stage, []).append((rate, int(state["step"]), set(terms)))

    trainer.on_step = look
    trainer.run(tmp_path / "checkpoint")
    (before, *_), (rate, steps, terms) = seen[1][0], seen[2][0]
    assert rate == pytest.approx(0.3 * before) and steps == 1
    assert terms - seen[1][0][2] == {"perceptual"}
    assert trainer.steps_done == 30 + 6 + 8


def test_a_loss_of_ones_own_is_minimised_without_a_finish() -> None:
    own = a_trainer().losses
    trainer = a_trainer(SHORT)
    assert Trainer(trainer.talker, trainer.footage, trainer.frames, SHORT, seed=0, loss=own).steps == (30, 6, 0)


def _rendered(trainer: Trainer) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        return trainer._deformed(trainer.footage.shots(np.arange(2)))


def test_the_mouth_follows_the_sound(tmp_path: Path) -> None:
    """The second stage adds the mouth: with the sound, the lips must be nearer the truth than without."""
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
    assert lips_under(shots.drive) < 0.85 * lips_under(deaf), "seeds give 0.45 to 0.77; who does not hear gives 1"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(tmp_path: Path, method: str) -> None:
    trainer = a_trainer(replace(TINY, deformation_steps=90), method)
    shots = trainer.footage.shots(np.arange(FRAMES))

    def loss() -> float:
        with torch.no_grad():
            splats = trainer.talker.deform(shots.drive)
            image, alpha, _ = render(splats, shots.drive.viewmats, trainer.footage.K, shots.plate, 1)
            return float(sum(trainer.losses(image, alpha, shots, 0, canonical=False).values()))

    before = loss()
    trainer.run(tmp_path / "checkpoint", {}, SILENT)
    assert loss() < 0.5 * before


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        a_trainer().run(tmp_path / "checkpoint", {"seed": 0}, StopAt(3))
    with pytest.raises(GaussianTalkerError, match="another training"):
        a_trainer().run(tmp_path / "checkpoint", {"seed": 1}, SILENT)


def test_codes_move_the_mouth_where_they_are_given_and_extremes_are_shown_more_often() -> None:
    trainer = a_trainer(method="mouth-code")
    trainer.codes, trainer.stage = torch.arange(FRAMES)[:, None].repeat(1, CHANNELS).float(), 1
    drive = trainer.footage.drive(np.array([3, 8]))
    given = trainer._heard(drive)
    assert (given - trainer.codes[[3, 8]]).abs().max() < 1
    playlist, opening = trainer._playlist(), trainer.footage.opening.numpy()
    times = np.bincount(playlist, minlength=FRAMES)
    assert times[opening.argmin()] == times[opening.argmax()] == 2 and np.median(times) == 1
