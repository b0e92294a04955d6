"""From a capture to an avatar."""

import copy
import json
import os
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from gaussiantalker import hardware, speech
from gaussiantalker.capture import Capture
from gaussiantalker.capture.folder import NO_CONSENT
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.capture.morphable import NECK
from gaussiantalker.errors import GaussianTalkerError, chosen
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.lock import locked
from gaussiantalker.media.outputs import is_ours
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speaking import Avatar, Motion, calm_stretch
from gaussiantalker.speaking.folder import check_folder
from gaussiantalker.speech.windows import PAPERS_LOOKAHEAD_MS
from gaussiantalker.splatting.cpu import prepare
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import Footage, Listener, Method, Talker, WindowListener, find_method
from gaussiantalker.talker.footage import usable
from gaussiantalker.talker.mouth_listener import LOOKAHEAD_MS as MOUTH_LOOKAHEAD_MS
from gaussiantalker.timing import SAMPLES_PER_FRAME
from gaussiantalker.training.card import model_card
from gaussiantalker.training.chance import NETWORK, checked_seed, seed_torch
from gaussiantalker.training.lip_range import LipRange
from gaussiantalker.training.losses import Loss
from gaussiantalker.training.outlook import PICTURE, Outlook
from gaussiantalker.training.reading import ENCODER as READER_ENCODER
from gaussiantalker.training.reading import Reading, learn_to_read
from gaussiantalker.training.schedule import SCHEDULES, Schedule
from gaussiantalker.training.strategies import STRATEGIES, STRATEGY, Strategy, described
from gaussiantalker.training.torso import Body, kept_body
from gaussiantalker.training.trainer import Trainer

_ENCODER = "whisper"  # for windows of speech; a mouth reader has its own
_CHECKPOINT = "checkpoint.safetensors"
_TORSO_CHECKPOINT = "torso-checkpoint.safetensors"
PREVIEW, PREVIEW_FRAMES = "preview.mp4", 100


def initial_gaussians(capture: Capture, count: int, sh_degree: int, seed: int, start: str = "mesh") -> Gaussians:
    """At most `count` Gaussians, on the capture's points drawn at random or anywhere in the box around them.

    GaussianTalker starts from the mean of the tracked meshes (`mesh`); these points cover hair, ears and the inside of
    the mouth too. The neck is left to the plates, which show it. GSTalker starts from a random cloud (`random`), of no
    colour.
    """
    shown, draw = capture.tracking.regions != NECK, np.random.default_rng(seed)
    points, colors = capture.tracking.points[shown], capture.tracking.colors[shown]
    if start == "random":
        return Gaussians.from_points(draw.uniform(points.min(0), points.max(0), (count, 3)), sh_degree=sh_degree)
    chosen = np.sort(draw.permutation(len(points))[:count])
    return Gaussians.from_points(points[chosen], colors[chosen], sh_degree=sh_degree)


def train(
    capture: str | Path,
    out: str | Path,
    *,
    method: str | Method = "mouth-code",
    schedule: str | Schedule = "demo",
    seed: int = 0,
    encoder: str | None = None,
    loss: Loss | None = None,
    strategy: str | Strategy = STRATEGY,
    on_step: Callable[[Trainer], None] | None = None,
    torso: Literal["appearance", "plates"] | None = None,
    keep: Collection[int] = (),
    lookahead_ms: int | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
) -> Path:
    """Trains an avatar on a capture's folder and writes its folder `out`, which is returned.

    An interrupted run goes on from its last checkpoint; a finished one is left as it is. `method` is one of ours or a
    paper's by name, or any value of your own. `encoder` is one of `speech.ENCODERS`, by default what suits the method.
    `loss` takes the place of `losses.PhotometricLoss`, and `strategy`, a name of `strategies.STRATEGIES` or a value,
    that of clone-split-prune; `on_step` is called after every step. Of a loss of your own the recipe knows no more than
    the class. `torso` is what is behind the head where it shall not be the method's own. What the avatar is after each
    number of deformation steps in `keep` is kept as well, in `out/after-STEPS`. `lookahead_ms` is how far beyond the
    beginning of a frame the avatar listens before it moves: of a mouth code `mouth_listener.LOOKAHEADS_MS`, of the
    papers' windows `speech.windows.LOOKAHEADS_MS`, by default the longest. Less is answered sooner live, and costs the
    lips some truth (docs/live.md). A step takes nearly twice as long in a process that has not called `keep_memory`, as
    the command line does.

    Raises:
        GaussianTalkerError: an unknown name, seed, look-ahead or device, no capture, a capture without sound, or a
            folder `out` that holds an avatar trained otherwise or in which somebody else trains.
        Failure: a number that is not finite.
    """
    where, seed = hardware.device(device), checked_seed(seed)
    plan = schedule if isinstance(schedule, Schedule) else chosen("schedule", schedule, SCHEDULES)
    parts, out = method if isinstance(method, Method) else find_method(method), Path(out)
    grown = chosen("strategy", strategy, STRATEGIES)(plan) if isinstance(strategy, str) else strategy
    source = Capture.load(capture)
    recipe = {"method": asdict(parts), "schedule": asdict(plan), "seed": seed, "capture": source.fingerprint}
    recipe |= {"encoder": encoder, "loss": loss and type(loss).__qualname__}
    recipe |= {"strategy": None if strategy == STRATEGY else described(strategy)}
    recipe = _written(recipe | {"torso": torso, "keep": sorted(keep), "lookahead_ms": lookahead_ms})
    if not _finished(out, recipe):
        for path in (out / PREVIEW, out / PICTURE):
            if path.exists() and not is_ours(path):
                raise GaussianTalkerError(f"{path} was not written by training: move it, or choose another --out.")
        if source.consent == NO_CONSENT:
            progress.note("This capture holds no consent: ask the person, and repeat capture with --consent.")
        prepare(progress)  # on a GPU, too: the torso is fitted beside it
        with locked(out, "train"):
            listener, reading = _listener(source, parts, encoder, lookahead_ms, progress)
            lips = LipRange(source, reading, Landmarker(progress=progress)) if reading else None
            given = {"loss": loss, "strategy": grown, "on_step": on_step, "codes": reading and reading.tracked}
            trainer = _trainer(source, listener, parts, plan, seed, where, progress, **given)
            _train(out, trainer, source, listener, lips, (torso or parts.torso) == "appearance", keep, recipe, progress)
    return out


def _listener(
    source: Capture, method: Method, encoder: str | None, lookahead_ms: int | None, progress: Progress
) -> tuple[Listener, Reading | None]:
    """The ear that the method's tokens need, and what it was made from where it reads mouth codes."""
    progress.stage("preparing", 2)
    if "mouth" in method.conditions:
        ahead = MOUTH_LOOKAHEAD_MS if lookahead_ms is None else lookahead_ms
        frames = usable(source.tracking, 0, source.train_frames)
        reading = learn_to_read(speech.load(encoder or READER_ENCODER, progress), source, frames, ahead)
        return reading.listener, reading
    ahead = PAPERS_LOOKAHEAD_MS if lookahead_ms is None else lookahead_ms
    audio = source.audio[: source.train_frames * SAMPLES_PER_FRAME]
    return WindowListener.fit(speech.load(encoder or _ENCODER, progress), audio, lookahead_ms=ahead), None


def _trainer(
    source: Capture,
    listener: Listener,
    method: Method,
    plan: Schedule,
    seed: int,
    device: torch.device,
    progress: Progress,
    **given: Any,
) -> Trainer:
    """With a talker that has learnt nothing yet."""
    progress.update(1)
    seed_torch(seed, NETWORK)
    gaussians = initial_gaussians(source, plan.points, plan.sh_degree, seed, method.start)
    talker = Talker(method, gaussians, listener.channels)
    footage = Footage(source, listener, talker.conditions.seen(source))
    frames = footage.usable(0, source.train_frames)
    talker.conditions.fit(footage.drive(frames))
    trainer = Trainer(talker.to(device), footage, frames, plan, seed, progress, **given)
    progress.update(2)
    return trainer


def _train(
    out: Path,
    trainer: Trainer,
    source: Capture,
    listener: Listener,
    lips: LipRange | None,
    moving_torso: bool,
    keep: Collection[int],
    recipe: dict[str, Any],
    progress: Progress,
) -> None:
    """All steps, of torso and head, and what is written of them."""
    body, then = None, trainer.on_step
    if moving_torso:
        body = kept_body(out / _TORSO_CHECKPOINT, source, trainer.frames, recipe, progress)
        trainer.footage.torso, trainer.footage.codes = copy.deepcopy(body.torso).to(trainer.device), body.codes

    def keep_some(trainer: Trainer) -> None:
        if trainer.stage == 1 and trainer.step in keep:
            folder = kept(out, trainer.step)
            _avatar(folder, trainer, copy.deepcopy(trainer.talker), body, source, listener, recipe).save(folder)
        then(trainer)

    trainer.on_step = outlook = Outlook(out / PICTURE, progress, keep_some)
    trainer.run(out / _CHECKPOINT, recipe, progress)
    avatar = _avatar(out, trainer, trainer.talker, body, source, listener, recipe)
    avatar = avatar.baked(trainer.footage.drive(trainer.frames), progress)
    if lips:  # of what will speak: a network opens no mouth wider than it saw, its blendshapes do
        avatar = replace(avatar, listener=lips.reading.listener.drawn_out(lips.code_gain(avatar, progress)))
    _present(avatar, out, source, progress)
    avatar.save(out)
    outlook.end()
    (out / _CHECKPOINT).unlink()
    (out / _TORSO_CHECKPOINT).unlink(missing_ok=True)


def kept(out: Path, step: int) -> Path:
    """Folder of what an avatar was after this many deformation steps."""
    return out / f"after-{step}"


def _written(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe as a file gives it back, without what was not asked for."""
    return {name: value for name, value in json.loads(json.dumps(recipe)).items() if value not in (None, [])}


def _finished(out: Path, recipe: dict[str, Any]) -> bool:
    """Whether the avatar is there already, trained in just this way."""
    if not (out / "avatar.json").is_file():
        return False
    if check_folder(out).get("recipe") != recipe:
        raise GaussianTalkerError(
            f"{out} holds an avatar trained on another capture or in another way: remove it or choose another --out."
        )
    return True


def _motion(capture: Capture, codes: np.ndarray | None) -> tuple[Motion, np.ndarray | None]:
    """How the avatar moves, from the training frames and their codes [F, K] of its torso; where there are none, with
    the plates of just these frames."""
    # Where frames are cut there is no body to go with a pose, and the stillest poses of all.
    tracking, whole = capture.tracking, capture.longest_part(capture.train_frames)
    body = None if codes is None else codes[whole]
    motion = Motion(tracking.rotations[whole], tracking.translations[whole], tracking.blink[whole], body=body)
    if codes is not None and (ring := motion.looped()).closed:
        return ring, None
    part = slice(*calm_stretch(motion.rotations, motion.translations))
    body = None if body is None else body[part]
    motion = Motion(motion.rotations[part], motion.translations[part], motion.blink[part], body=body)
    return motion, np.asarray(capture.plates[whole][part]) if body is None else None


def _avatar(
    folder: Path,
    trainer: Trainer,
    talker: Talker,
    body: Body | None,
    capture: Capture,
    listener: Listener,
    recipe: dict[str, Any],
) -> Avatar:
    """What the talker is now, with all it needs to speak; `folder` is where it will be written."""
    motion, plates = _motion(capture, body.codes.numpy() if body else None)
    seconds = trainer.seconds + (body.seconds if body else 0)
    info = {
        "training": {"seconds": round(seconds, 1), "steps": trainer.steps_done, "curve": trainer.curve},
        "recipe": recipe,
        "capture": os.path.relpath(capture.path.resolve(), folder.resolve()),
        "consent": capture.consent,
        "synthetic": "Everything this avatar shows and says is generated.",
    }
    return Avatar(
        info,
        talker.eval().requires_grad_(False),
        listener,
        capture.camera,
        motion,
        plates,
        copy.deepcopy(body.torso).to(trainer.device) if body else None,
    )


def _present(avatar: Avatar, out: Path, capture: Capture, progress: Progress) -> None:
    """What people look at first: a card, and a clip of sound that was not trained on."""
    with atomic_path(out / "README.md") as temporary:
        temporary.write_text(model_card(avatar.facts), encoding="utf-8")
    held_out = capture.audio[capture.train_frames * SAMPLES_PER_FRAME :][: PREVIEW_FRAMES * SAMPLES_PER_FRAME]
    avatar.speak(held_out).save(out / PREVIEW, progress)
