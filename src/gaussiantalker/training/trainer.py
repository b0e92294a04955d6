"""The two stages of training (GaussianTalker, section 4), the canonical head and how it deforms, and a finish."""

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam

from gaussiantalker.errors import Failure, GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.talker import AUDIO, Drive, Footage, Shots, Splats, Talker, fast_products, render
from gaussiantalker.talker.talker import RAW_NAMES
from gaussiantalker.training.chance import checked_seed, seed_torch, shuffled
from gaussiantalker.training.checkpoint import (
    damaged,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizers,
    write_checkpoint,
)
from gaussiantalker.training.interruption import held_back
from gaussiantalker.training.listening import learn_to_listen, mouth_targets
from gaussiantalker.training.losses import Loss, PhotometricLoss, head_psnr
from gaussiantalker.training.poses import PoseCorrections
from gaussiantalker.training.schedule import Schedule
from gaussiantalker.training.strategies import STRATEGIES, STRATEGY, Strategy

SHUT, SHUT_REPEATS = 0.3, 2  # blinks are a frame in twenty, too rare to be learnt from in a short training
EXTREME, EXTREME_REPEATS = 0.1, 1  # of the frames, the most closed and the most open mouths: they are what lips show
_CODE_NOISE = 0.1  # deviations
_LISTENER_SHARE = 0.1  # of the network's learning rate
STAGES = ("canonical head", "deformation", "finish")


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
        codes: Tensor | None = None,
        *,
        loss: Loss | None = None,
        strategy: Strategy | None = None,
        on_step: Callable[["Trainer"], None] | None = None,
    ):
        """The mouth moves by the codes [F, C] of the footage where they are given, else as the footage is heard.

        `loss` and `strategy` take the places of `PhotometricLoss`, which the finish needs, and clone-split-prune;
        `on_step` is called with the trainer after each step. Shows to `progress` the licence of a network that the loss
        fetches.
        """
        self.codes = codes
        self.talker, self.footage, self.frames = talker, footage, frames
        self.seed = checked_seed(seed)
        self.device = footage.device = talker.device
        self.K = footage.K.to(self.device)
        self.poses = PoseCorrections(len(footage.viewmats)).to(self.device)
        finish_steps = 0 if loss else schedule.finish_steps
        self.steps = (schedule.canonical_steps, schedule.deformation_steps, finish_steps)
        self.stage = self.step = 0
        self.whole = True  # nothing is half done, so that what is here can be kept
        self.seconds = 0.0
        self.loss = self.psnr = math.nan  # running means
        plan = schedule, loss or PhotometricLoss(schedule, progress, self.device)
        end = schedule.finishing()
        self._plans = (plan, plan, (end, PhotometricLoss(end, progress, self.device)) if finish_steps else plan)
        self.strategy = strategy or STRATEGIES[STRATEGY](schedule)
        self.on_step = on_step or (lambda trainer: None)
        self.curve: list[tuple[int, float, float]] = []  # step over both stages, loss, PSNR
        self._prepare_stage()

    @fast_products()
    def run(self, checkpoint: Path, recipe: dict[str, Any] | None = None, progress: Progress = SILENT) -> None:
        """Trains to the end, from the checkpoint where there is one of this recipe.

        A checkpoint is written now and then, and when Ctrl-C interrupts, which is honoured between steps.

        Raises:
            GaussianTalkerError: the checkpoint belongs to another recipe, or is damaged.
            Failure: a loss or a gradient is not a finite number. The talker is what it was before that step.
        """
        self.recipe = recipe or {}
        if checkpoint.is_file():
            self._restore(checkpoint)
        else:
            self._listen(progress)
        try:
            with held_back() as honour:
                while self.stage < len(STAGES):
                    self._run_stage(checkpoint, progress, honour)
                    self.whole = False
                    self._end_stage()
                    self.whole = True
                    self._save(checkpoint)
        except KeyboardInterrupt:
            if self.whole:
                self._save(checkpoint)
            raise

    @property
    def steps_done(self) -> int:
        """Over all stages."""
        return self.step + sum(self.steps[: self.stage])

    def _end_stage(self) -> None:
        if self.stage == 0:
            self._finish_canonical()
        self.stage, self.step = self.stage + 1, 0
        if self.stage < len(STAGES):
            self._prepare_stage()

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
        contexts, steps = self.footage.heard[self.frames], self.schedule.listening_steps
        for what, values in (("the audio", torch.from_numpy(contexts)), ("the tracked mouth", targets)):
            self._check(what, values, self.frames)
        learn_to_listen(speech, contexts, targets, steps, self.seed)
        self.seconds += time.perf_counter() - started
        progress.update(1)

    def _run_stage(self, checkpoint: Path, progress: Progress, honour: Callable[[], None]) -> None:
        progress.stage(STAGES[self.stage], self.steps[self.stage])
        take_step = self._canonical_step if self.stage == 0 else self._deformation_step
        while self.step < self.steps[self.stage]:
            started = time.perf_counter()
            seed_torch(self.seed, self.stage, self.step)
            self.whole = False
            self._set_rates()
            take_step()
            self.step += 1
            self.seconds += time.perf_counter() - started
            if self.step % 25 == 0:
                self.curve.append((self.steps_done, round(self.loss, 5), round(self.psnr, 3)))
            self.whole = True
            progress.update(self.step, loss=self.loss, psnr=self.psnr, gaussians=len(self.talker.raw["means"]))
            self.on_step(self)
            if self.step % self.schedule.checkpoint_every == 0:
                self._save(checkpoint)
            honour()

    def _prepare_stage(self) -> None:
        """Fresh optimizers for what the stage trains, as in the public code, and the stage's rates and loss."""
        self.schedule, self.losses = self._plans[self.stage]
        talker, schedule = self.talker, self.schedule
        rates = {
            "means": schedule.rate_positions,
            "log_scales": schedule.rate_scales,
            "quats": schedule.rate_quats,
            "opacity_logits": schedule.rate_opacity,
            "sh": schedule.rate_sh,
        }
        # What the canonical stage reads off the triplane is not learnt beside it.
        said = {RAW_NAMES.get(name, name) for name in talker.method.predicted} if self.stage == 0 else set()
        for name, parameter in talker.raw.items():
            parameter.requires_grad_(name not in said)
        self.optimizers = {
            name: Adam([talker.raw[name]], rate, eps=1e-15, fused=True)
            for name, rate in rates.items()
            if name not in said
        }
        self.optimizers["network"] = Adam(self._network_groups(), schedule.rate_network, fused=True)
        self.optimizers["triplane"] = Adam(talker.triplane.parameters(), schedule.rate_triplane, fused=True)
        if schedule.rate_poses:
            self.optimizers["poses"] = Adam(self.poses.parameters(), schedule.rate_poses, fused=True)
        self.density = self.strategy.initialize_state(_radius(talker.raw["means"].detach()))

    def _network_groups(self) -> list[dict[str, Any]]:
        """What the stage trains beside Gaussians and triplane; a speech network that can listen learns slowly."""
        talker = self.talker
        if self.stage == 0:
            return [{"params": list(talker.canonical_heads.parameters()), "share": 1.0}]
        heard = list(talker.conditions.speech.parameters()) if talker.conditions.speech else []
        parts = (talker.place, talker.conditions, talker.fusion, talker.offsets)
        rest = [p for part in parts for p in part.parameters() if not any(p is other for other in heard)]
        slowly = _LISTENER_SHARE if self.schedule.listening_steps else 1.0
        return [{"params": rest, "share": 1.0}, {"params": heard, "share": slowly}]

    def _set_rates(self) -> None:
        progress = self.step / self.steps[self.stage]
        for name, last in (("means", 0.01), ("network", 0.1), ("triplane", 0.1)):
            rate = getattr(self.schedule, f"rate_{'positions' if name == 'means' else name}")
            for group in self.optimizers[name].param_groups if name in self.optimizers else ():
                group["lr"] = rate * last**progress * group.get("share", 1.0)

    def _pick(self, count: int) -> np.ndarray:
        """The frames of this step: the whole playlist once an epoch, in an order drawn anew each time."""
        picked, frames = [], self._playlist()
        for number in range(self.step * count, (self.step + 1) * count):
            epoch, place = divmod(number, len(frames))
            picked.append(frames[shuffled(len(frames), self.seed, self.stage, epoch)[place]])
        return np.array(picked)

    def _playlist(self) -> np.ndarray:
        """Every frame once; where eyes and mouth are learnt, those with shut eyes and those whose mouth is shut or wide
        more often."""
        if self.stage == 0:
            return self.frames
        shut = self.frames[self.footage.blink[self.frames].numpy() > SHUT]
        opening = self.footage.capture.tracking.lip_opening[self.frames]
        least, most = np.quantile(opening, [EXTREME, 1 - EXTREME])
        extreme = self.frames[(opening <= least) | (opening >= most)]
        return np.concatenate([self.frames, np.tile(shut, SHUT_REPEATS), np.tile(extreme, EXTREME_REPEATS)])

    def _shots(self, count: int) -> Shots:
        shots = self.footage.shots(self._pick(count))
        for name, values in {**shots.drive.conditions, "pose": shots.drive.viewmats}.items():
            self._check(f"the {name}", values, shots.drive.frames.numpy())
        shots = shots.to(self.device)
        if not self.schedule.rate_poses:
            return shots
        drive = shots.drive
        return shots._replace(drive=drive._replace(viewmats=self.poses(drive.viewmats, drive.frames)))

    def _check(self, what: str, values: Tensor, frames: np.ndarray) -> None:
        """Raises Failure where not all values [B, ...] of frames [B] are finite."""
        wrong = ~values.reshape(len(values), -1).isfinite().all(dim=1).numpy()
        if wrong.any():
            raise _not_finite(what, frames[wrong].tolist(), self.step, STAGES[self.stage])

    def _degree(self) -> int:
        return min(self.talker.sh_degree, self.step // self.schedule.sh_degree_every)

    def _canonical_step(self) -> None:
        shots, raw = self._shots(1), self.talker.raw
        splats = self.talker.canonical()
        image, alpha, info = self._undeformed(splats, shots)
        self.strategy.step_pre_backward(raw, self.optimizers, self.density, self.step, info)
        cost = self.strategy.cost(splats.opacities, splats.scales)
        self._descend(image, alpha, shots, {} if cost is None else {"density": cost})
        self._refine(splats, info)

    def _undeformed(self, splats: Splats, shots: Shots) -> tuple[Tensor, Tensor, dict]:
        return render(splats, shots.drive.viewmats, self.K, shots.plate, self._degree())

    def _refine(self, splats: Splats, info: dict) -> None:
        """Clones, splits and prunes by the Gaussians as they are seen.

        Where an attribute is raw plus what the triplane says, the strategy is given the sum and changes the sum; what
        the triplane says goes along with each Gaussian, and is taken off again.
        """
        raw = self.talker.raw
        seen = {
            "opacity_logits": splats.opacities.logit(1e-6),
            "log_scales": splats.scales.log(),
            "quats": splats.quats,
        }
        sums = {name: nn.Parameter(value.detach()) for name, value in seen.items() if name not in self.optimizers}
        said = {f"{name} said": nn.Parameter(value.detach() - raw[name]) for name, value in sums.items()}
        params = {**raw, **sums, **said}
        self.strategy.step_post_backward(params, self.optimizers, self.density, self.step, info)
        for name, value in sums.items():
            own = params[name].detach() - params.pop(f"{name} said").detach()
            params[name] = raw[name] if params[name] is value else nn.Parameter(own, requires_grad=False)
        raw.update(params)

    def _heard(self, drive: Drive) -> Tensor:
        """What moves the mouth in this step, with a little noise against learning a minute by heart."""
        if self.codes is not None:
            heard, noise = self.codes[drive.frames.cpu()].to(self.device), _CODE_NOISE
        else:
            heard, noise = drive.conditions[AUDIO], self.schedule.speech_noise
        return heard + noise * torch.randn_like(heard)

    def _deformation_step(self) -> None:
        shots = self._shots(self.schedule.batch)
        image, alpha = self._deformed(shots)
        self._descend(image, alpha, shots, {})

    def _deformed(self, shots: Shots) -> tuple[Tensor, Tensor]:
        splats = self.talker.deform(shots.drive.given(audio=self._heard(shots.drive)))
        return render(splats, shots.drive.viewmats, self.K, shots.plate, self.talker.sh_degree)[:2]

    def time_deformation(self) -> float:
        """Seconds that a step of the later stages takes with the Gaussians there are; nothing is learnt in it."""
        for _ in range(2):  # the first compiles
            started = time.perf_counter()
            shots = self._shots(self.schedule.batch)
            image, alpha = self._deformed(shots)
            torch.stack(list(self.losses(image, alpha, shots, self.step, canonical=False).values())).sum().backward()
            float(image.detach().mean())  # waits for the device
            self.talker.zero_grad()
        return time.perf_counter() - started

    @torch.no_grad()
    def pictures(self, frames: np.ndarray) -> Tensor:
        """What the talker makes of frames [B] now, [B, H, W, 3]: in the first stage the head as it is without sound."""
        shots = self.footage.shots(frames).to(self.device)
        if self.stage:
            return self._deformed(shots)[0]
        return self._undeformed(self.talker.canonical(), shots)[0]

    def _descend(self, image: Tensor, alpha: Tensor, shots: Shots, costs: dict[str, Tensor]) -> None:
        """One step of all optimizers, or none where a number is not finite."""
        terms = costs | self.losses(image, alpha, shots, self.step, canonical=self.stage == 0)
        if self.schedule.rate_poses:
            terms["poses"] = self.schedule.weight_poses * self.poses.cost(shots.drive.frames)
        loss = torch.stack(list(terms.values())).sum()
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        loss.backward()
        # One look at the device, for all three.
        numbers = torch.stack([loss.detach(), head_psnr(image, shots), _largest_gradient(self._trained())]).tolist()
        if not all(map(math.isfinite, numbers)):
            raise _not_finite(self._culprit(terms), shots.drive.frames.tolist(), self.step, STAGES[self.stage])
        for optimizer in self.optimizers.values():
            optimizer.step()
        self.loss, self.psnr = _smooth(self.loss, numbers[0]), _smooth(self.psnr, numbers[1])

    def _trained(self) -> list[Tensor]:
        """Every parameter that a gradient has reached."""
        groups = (group for optimizer in self.optimizers.values() for group in optimizer.param_groups)
        return [parameter for group in groups for parameter in group["params"] if parameter.grad is not None]

    def _culprit(self, terms: dict[str, Tensor]) -> str:
        """What is not finite: a term of the loss or, where all are, a gradient."""
        for name, value in terms.items():
            if not value.isfinite():
                return f"the loss's term {name}"
        names = {id(parameter): name for name, parameter in self.talker.named_parameters()}
        for parameter in self._trained():
            if parameter.grad is not None and not parameter.grad.isfinite().all():
                return f"the gradient of {names.get(id(parameter), 'the poses')}"
        return "the picture"

    def _save(self, checkpoint: Path) -> None:
        density = {name: value for name, value in self.density.items() if not isinstance(value, Tensor)}
        facts = {
            "recipe": self.recipe,
            "stage": self.stage,
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
            "loss": self.loss,
            "psnr": self.psnr,
            "density": density,
        }
        state = {f"talker/{name}": value for name, value in self.talker.state_dict().items()}
        state |= {f"density/{name}": value for name, value in self.density.items() if name not in density}
        state["poses"] = self.poses.values
        write_checkpoint(checkpoint, state | optimizer_tensors(self.optimizers), facts)

    def _restore(self, checkpoint: Path) -> None:
        tensors, facts = read_checkpoint(checkpoint)
        if facts.get("recipe") != self.recipe:
            raise GaussianTalkerError(
                f"{checkpoint.parent} holds the start of another training: remove it or choose another --out."
            )
        try:
            self._take(tensors, facts)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise damaged(checkpoint) from error

    def _take(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        for name, start in self.talker.raw.items():
            value = tensors[f"talker/raw.{name}"]
            if value.shape != (len(tensors["talker/raw.means"]), *start.shape[1:]):
                raise ValueError(f"{name} of shape {list(value.shape)}")
            self.talker.raw[name] = nn.Parameter(value.to(self.device))
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
            self.density = facts["density"] | {
                name.removeprefix("density/"): value.to(self.device)
                for name, value in tensors.items()
                if name.startswith("density/")
            }


def _radius(means: Tensor) -> float:
    """Of Gaussians at [N, 3] about their middle, in head units. 3DGS takes that of the cameras' positions, but about a
    head that sits still the camera hardly moves, and all but the smallest Gaussians would be pruned as too big."""
    return float((means - means.mean(dim=0)).norm(dim=-1).max())


def _smooth(average: float, value: float, weight: float = 0.05) -> float:
    """An exponential average that starts at its first value."""
    return value if math.isnan(average) else average + weight * (value - average)


def _largest_gradient(parameters: Iterable[Tensor]) -> Tensor:
    """The largest number in any gradient; not finite where one is not."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return nn.utils.get_total_norm(gradients, norm_type=math.inf)


def _not_finite(what: str, frames: Iterable[int], step: int, stage: str) -> Failure:
    """What is said when training stops before a step, counted from 0."""
    numbers = ", ".join(map(str, sorted(set(frames))))
    return Failure(
        f"Training stopped before step {step + 1} of the stage '{stage}', since {what} is not a finite number in frame "
        f"{numbers}: what was trained before is kept. Look at that frame, and capture the video anew or train slower."
    )
