"""The two stages of training (GaussianTalker, section 4): the canonical head, then how it deforms."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.splatting.densify import CloneSplitPrune
from gaussiantalker.talker import AUDIO, Footage, Shots, Splats, Talker, fast_products, render
from gaussiantalker.talker.talker import RAW_NAMES
from gaussiantalker.training.checkpoint import optimizer_tensors, read_checkpoint, restore_optimizers, write_checkpoint
from gaussiantalker.training.listening import learn_to_listen, mouth_targets
from gaussiantalker.training.losses import PhotometricLoss, head_psnr
from gaussiantalker.training.poses import PoseCorrections
from gaussiantalker.training.schedule import Schedule

SHUT, SHUT_REPEATS = 0.3, 2  # blinks are a frame in twenty, too rare to be learnt from in a short training
LISTENER_SHARE = 0.1  # of the network's learning rate
STAGES = ("canonical head", "deformation")


class Trainer:
    """Trains a talker on some frames of its footage. `run` starts or goes on; every step depends on its number alone,
    so a run that was stopped and one that was not give the same avatar. It works on the device the talker is on."""

    def __init__(
        self,
        talker: Talker,
        footage: Footage,
        frames: np.ndarray,
        schedule: Schedule,
        seed: int,
        progress: Progress = SILENT,
    ):
        """Shows to `progress` the licence of a network that the loss needs and fetches."""
        self.talker, self.footage, self.frames, self.schedule, self.seed = talker, footage, frames, schedule, seed
        self.device = talker.device
        self.K = footage.K.to(self.device)
        self.poses = PoseCorrections(len(footage.viewmats)).to(self.device)
        self.steps = (schedule.canonical_steps, schedule.deformation_steps)
        self.stage = self.step = 0
        self.seconds = 0.0
        self.psnr = self.loss = float("nan")
        self.photometric = PhotometricLoss(schedule, progress, self.device)
        self.curve: list[tuple[int, float, float]] = []  # step over both stages, loss, PSNR
        self.after_step: Callable[[int], None] = lambda step: None  # called after each step of the deformation stage
        self._prepare_stage()

    @fast_products()
    def run(self, checkpoint: Path, recipe: dict[str, Any], progress: Progress) -> None:
        """Trains to the end, from the checkpoint where there is one.

        A checkpoint is written now and then, and when Ctrl-C interrupts.

        Raises:
            GaussianTalkerError: the checkpoint belongs to another recipe.
        """
        self.recipe = recipe
        if checkpoint.is_file():
            self._restore(checkpoint)
        else:
            self._listen(progress)
        try:
            while self.stage < len(STAGES):
                self._run_stage(checkpoint, progress)
                if self.stage == 0:
                    self._finish_canonical()
                self.stage, self.step = self.stage + 1, 0
                if self.stage < len(STAGES):
                    self._prepare_stage()
                self._save(checkpoint)
        except KeyboardInterrupt:
            self._save(checkpoint)
            raise

    @property
    def steps_done(self) -> int:
        """Over both stages."""
        return self.step + sum(self.steps[: self.stage])

    def _finish_canonical(self) -> None:
        self.talker.bake()
        if self.talker.method.teeth == "held":
            self.talker.hold(self.footage.upper_teeth())

    def _listen(self, progress: Progress) -> None:
        speech = self.talker.conditions.speech
        if not self.schedule.listening_steps or speech is None:
            return
        progress.stage("listening", 1)
        started = time.perf_counter()
        targets = mouth_targets(self.footage.capture.tracking)[self.frames]
        contexts, steps = self.footage.contexts[self.frames], self.schedule.listening_steps
        learn_to_listen(speech, contexts, targets, steps, self.seed)
        self.seconds += time.perf_counter() - started
        progress.update(1)

    def _run_stage(self, checkpoint: Path, progress: Progress) -> None:
        progress.stage(STAGES[self.stage], self.steps[self.stage])
        take_step = (self._canonical_step, self._deformation_step)[self.stage]
        while self.step < self.steps[self.stage]:
            started = time.perf_counter()
            torch.manual_seed(hash((self.seed, self.stage, self.step)) % 2**31)
            self._set_rates()
            take_step()
            self.step += 1
            self.seconds += time.perf_counter() - started
            if self.step % 25 == 0:
                self.curve.append((self.steps_done, round(self.loss, 5), round(self.psnr, 3)))
            progress.update(self.step, loss=self.loss, psnr=self.psnr, gaussians=len(self.talker.raw["means"]))
            if self.stage == 1:
                self.after_step(self.step)
            if self.step % self.schedule.checkpoint_every == 0:
                self._save(checkpoint)

    def _prepare_stage(self) -> None:
        """Fresh optimizers for what the stage trains, as in the public code."""
        talker, schedule = self.talker, self.schedule
        rates = {
            "means": schedule.rate_positions,
            "log_scales": schedule.rate_scales,
            "quats": schedule.rate_quats,
            "opacity_logits": schedule.rate_opacity,
            "sh": schedule.rate_sh,
        }
        frozen = {RAW_NAMES.get(name, name) for name in talker.method.predicted} if self.stage == 0 else set()
        for name, parameter in talker.raw.items():
            parameter.requires_grad_(name not in frozen)
        self.optimizers = {name: Adam([talker.raw[name]], rate, eps=1e-15, fused=True) for name, rate in rates.items()}
        self.optimizers["network"] = Adam(self._network_groups(), schedule.rate_network, fused=True)
        self.optimizers["triplane"] = Adam(talker.triplane.parameters(), schedule.rate_triplane, fused=True)
        if schedule.rate_poses:
            self.optimizers["poses"] = Adam(self.poses.parameters(), schedule.rate_poses, fused=True)
        self.strategy = CloneSplitPrune(
            grow_after=schedule.canonical_steps // 8,
            prune_after=schedule.canonical_steps // 16,
            refine_until=schedule.canonical_steps * 7 // 8,
            prune_big_after=schedule.canonical_steps * 3 // 8,
            grow_below=schedule.grow_below,
        )
        self.density = self.strategy.initialize_state(camera_extent(self.footage.viewmats[self.frames]))

    def _network_groups(self) -> list[dict[str, Any]]:
        """What the stage trains beside Gaussians and triplane; a speech network that can listen learns slowly."""
        talker = self.talker
        if self.stage == 0:
            return [{"params": list(talker.canonical_heads.parameters()), "share": 1.0}]
        heard = list(talker.conditions.speech.parameters()) if talker.conditions.speech else []
        parts = (talker.place, talker.conditions, talker.fusion, talker.offsets)
        rest = [p for part in parts for p in part.parameters() if not any(p is other for other in heard)]
        slowly = LISTENER_SHARE if self.schedule.listening_steps else 1.0
        return [{"params": rest, "share": 1.0}, {"params": heard, "share": slowly}]

    def _set_rates(self) -> None:
        progress = self.step / self.steps[self.stage]
        for name, last in (("means", 0.01), ("network", 0.1), ("triplane", 0.1)):
            rate = getattr(self.schedule, f"rate_{'positions' if name == 'means' else name}")
            for group in self.optimizers[name].param_groups:
                group["lr"] = rate * last**progress * group.get("share", 1.0)

    def _pick(self, count: int) -> np.ndarray:
        """The frames of this step: the whole playlist once an epoch, in an order drawn anew each time."""
        picked, frames = [], self._playlist()
        for number in range(self.step * count, (self.step + 1) * count):
            epoch, place = divmod(number, len(frames))
            order = np.random.default_rng((self.seed, self.stage, epoch)).permutation(frames)
            picked.append(order[place])
        return np.array(picked)

    def _playlist(self) -> np.ndarray:
        """Every frame once and, where eyes are learnt, those with shut eyes more often."""
        if self.stage == 0:
            return self.frames
        shut = self.frames[self.footage.blink[self.frames].numpy() > SHUT]
        return np.concatenate([self.frames, np.tile(shut, SHUT_REPEATS)])

    def _shots(self, count: int) -> Shots:
        shots = self.footage.shots(self._pick(count)).to(self.device)
        if not self.schedule.rate_poses:
            return shots
        drive = shots.drive
        return shots._replace(drive=drive._replace(viewmats=self.poses(drive.viewmats, drive.frames)))

    def _degree(self) -> int:
        return min(self.talker.sh_degree, self.step // self.schedule.sh_degree_every)

    def _canonical_step(self) -> None:
        shots = self._shots(1)
        splats = self.talker.canonical()
        image, alpha, info = render(splats, shots.drive.viewmats, self.K, shots.plate, self._degree())
        self._descend(image, alpha, shots)
        self._refine(splats, info)

    def _refine(self, splats: Splats, info: dict) -> None:
        """Clones, splits and prunes; the opacity that counts is the whole, not the part the prediction adds to."""
        raw = self.talker.raw
        params = {
            **raw,
            "start": raw["opacity_logits"],
            "opacity_logits": nn.Parameter(splats.opacities.logit().detach()),
        }
        self.strategy.step_post_backward(params, self.optimizers, self.density, self.step, info)
        params["opacity_logits"] = params.pop("start")
        raw.update(params)

    def _deformation_step(self) -> None:
        shots = self._shots(self.schedule.batch)
        contexts = shots.drive.conditions[AUDIO]
        heard = contexts + self.schedule.speech_noise * torch.randn_like(contexts)
        splats = self.talker.deform(shots.drive.given(audio=heard))
        image, alpha, _ = render(splats, shots.drive.viewmats, self.K, shots.plate, self.talker.sh_degree)
        self._descend(image, alpha, shots)

    def _descend(self, image: Tensor, alpha: Tensor, shots: Shots) -> None:
        loss = self.photometric(image, alpha, shots, self.step, canonical=self.stage == 0)
        if self.schedule.rate_poses:
            loss = loss + self.schedule.weight_poses * self.poses.cost(shots.drive.frames)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers.values():
            optimizer.step()
        self.loss = _smooth(self.loss, float(loss.detach()))
        self.psnr = _smooth(self.psnr, head_psnr(image, shots))

    def _save(self, checkpoint: Path) -> None:
        facts = {
            "recipe": self.recipe,
            "stage": self.stage,
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
        }
        facts |= {"loss": self.loss, "psnr": self.psnr}
        state = {f"talker/{name}": value for name, value in self.talker.state_dict().items()}
        state["poses"] = self.poses.values
        write_checkpoint(checkpoint, state | optimizer_tensors(self.optimizers), facts)

    def _restore(self, checkpoint: Path) -> None:
        tensors, facts = read_checkpoint(checkpoint)
        if facts["recipe"] != self.recipe:
            raise GaussianTalkerError(
                f"{checkpoint.parent} holds the start of another training: remove it or choose another --out."
            )
        for name in self.talker.raw:
            self.talker.raw[name] = nn.Parameter(tensors[f"talker/raw.{name}"].to(self.device))
        self.poses.values.data.copy_(tensors["poses"])
        self.talker.free = tensors["talker/free"].to(self.device)
        self.talker.load_state_dict(
            {name.removeprefix("talker/"): value for name, value in tensors.items() if name.startswith("talker/")}
        )
        self.stage, self.step, self.seconds = facts["stage"], facts["step"], facts["seconds"]
        self.loss, self.psnr, self.curve = facts["loss"], facts["psnr"], facts["curve"]
        if self.stage < len(STAGES):
            self._prepare_stage()
            restore_optimizers(self.optimizers, tensors)


def camera_extent(viewmats: Tensor) -> float:
    """Radius of the cameras' positions [F, 4, 4] about their mean, with the tenth that 3DGS adds, in head units."""
    positions = -(viewmats[:, :3, :3].transpose(1, 2) @ viewmats[:, :3, 3:])[..., 0]
    return 1.1 * float((positions - positions.mean(dim=0)).norm(dim=-1).max())


def _smooth(average: float, value: float, weight: float = 0.05) -> float:
    """An exponential average that starts at its first value."""
    return value if average != average else average + weight * (value - average)
