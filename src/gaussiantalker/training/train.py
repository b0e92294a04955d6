"""From a capture to an avatar."""

import copy
import json
import os
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from gaussiantalker import hardware, speech
from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path, make_folder
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speaking import Avatar, Motion, calm_stretch
from gaussiantalker.speaking.folder import check_folder
from gaussiantalker.speech.windows import PAPERS_LOOKAHEAD_MS
from gaussiantalker.splatting.cpu import prepare
from gaussiantalker.talker import Footage, Listener, Method, Talker, WindowListener, find_method
from gaussiantalker.talker.footage import usable
from gaussiantalker.talker.mouth_listener import LOOKAHEAD_MS as MOUTH_LOOKAHEAD_MS
from gaussiantalker.timing import SAMPLES_PER_FRAME
from gaussiantalker.training.card import model_card
from gaussiantalker.training.chance import NETWORK, checked_seed, seed_torch
from gaussiantalker.training.initialise import initial_gaussians
from gaussiantalker.training.reading import ENCODER as READER_ENCODER
from gaussiantalker.training.reading import learn_to_read
from gaussiantalker.training.schedule import Schedule, find_schedule
from gaussiantalker.training.torso import STEPS_SHARE, Torso, kept_torso
from gaussiantalker.training.trainer import Trainer

ENCODER = "whisper"  # for windows of speech; a mouth reader has its own
CHECKPOINT = "checkpoint.safetensors"
TORSO_CHECKPOINT = "torso-checkpoint.safetensors"
PREVIEW_FRAMES = 100


def train(
    capture: str | Path,
    out: str | Path,
    *,
    method: str | Method = "mouth-code",
    schedule: str | Schedule = "standard",
    seed: int = 0,
    torso: Literal["field", "plates"] | None = None,
    keep: Collection[int] = (),
    lookahead_ms: int | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
) -> Path:
    """Trains an avatar on a capture's folder and writes its folder `out`, which is returned.

    An interrupted run goes on from its last checkpoint; a finished one is left as it is. `method` is a paper's by name,
    or any value of your own. `torso` is what is behind the head where it shall not be the method's own. What the avatar
    is after each number of deformation steps in `keep` is kept as well, in `out/after-STEPS`. `lookahead_ms` is how far
    beyond the beginning of a frame the avatar listens before it moves: of a mouth code `mouth_listener.LOOKAHEADS_MS`,
    of the papers' windows `speech.windows.LOOKAHEADS_MS`, by default the longest. Less is answered sooner live, and
    costs the lips some truth (docs/live.md). A step takes nearly twice as long in a process
    that has not called `keep_memory`, as the command line does.

    Raises:
        GaussianTalkerError: an unknown method, schedule, look-ahead or device, no capture, a capture without sound, or
            a folder `out` that holds an avatar trained otherwise.
    """
    where, seed = hardware.device(device), checked_seed(seed)
    plan = schedule if isinstance(schedule, Schedule) else find_schedule(schedule)
    parts, out = method if isinstance(method, Method) else find_method(method), Path(out)
    source = Capture.load(capture)
    recipe = {"method": asdict(parts), "schedule": asdict(plan), "seed": seed, "capture": source.fingerprint}
    recipe |= {"torso": torso, "keep": sorted(keep)}
    recipe = _written(recipe | {"lookahead_ms": lookahead_ms})
    if _finished(out, recipe):
        return out
    make_folder(out)
    prepare(progress)  # on a GPU, too: the torso is fitted beside it
    trainer, listener = _prepared(source, parts, plan, seed, lookahead_ms, where, progress)
    talker, frames = trainer.talker, trainer.frames
    body = None
    if (torso or parts.torso) == "field":
        steps = round(STEPS_SHARE * plan.deformation_steps)
        body = kept_torso(out / TORSO_CHECKPOINT, source, frames, steps, recipe, progress)
        trainer.footage.torso = body.field.to(where)

    def keep_some(trainer: Trainer) -> None:
        if trainer.stage == 1 and trainer.step in keep:
            folder = kept(out, trainer.step)
            _avatar(folder, trainer, copy.deepcopy(talker), body, source, listener, recipe).save(folder)

    trainer.on_step = keep_some
    trainer.run(out / CHECKPOINT, recipe, progress)
    avatar = _avatar(out, trainer, talker, body, source, listener, recipe)
    avatar = avatar.baked(trainer.footage.drive(trainer.frames), progress)
    _present(avatar, out, source, progress)
    avatar.save(out)
    (out / CHECKPOINT).unlink()
    (out / TORSO_CHECKPOINT).unlink(missing_ok=True)
    return out


def _prepared(
    source: Capture,
    method: Method,
    plan: Schedule,
    seed: int,
    lookahead_ms: int | None,
    device: torch.device,
    progress: Progress,
) -> tuple[Trainer, Listener]:
    """A talker that has learnt nothing yet, with its trainer and its ear."""
    progress.stage("preparing", 1)
    frames = usable(source.tracking, 0, source.train_frames)
    listener, codes = _listener(source, frames, method, lookahead_ms, progress)
    seed_torch(seed, NETWORK)
    gaussians = initial_gaussians(source, plan.points, plan.sh_degree, seed, method.start)
    talker = Talker(method, gaussians, listener.channels)
    footage = Footage(source, listener, talker.conditions.seen(source))
    talker.conditions.fit(footage.drive(frames))
    trainer = Trainer(talker.to(device), footage, frames, plan, seed, progress, codes)
    progress.update(1)
    return trainer, listener


def _listener(
    source: Capture, frames: np.ndarray, method: Method, lookahead_ms: int | None, progress: Progress
) -> tuple[Listener, Tensor | None]:
    """The ear that the method's tokens need, and the mouth codes that the talker is trained on, where it is by such."""
    if "mouth" in method.conditions:
        ahead = MOUTH_LOOKAHEAD_MS if lookahead_ms is None else lookahead_ms
        return learn_to_read(speech.load(READER_ENCODER, progress), source, frames, ahead)
    ahead = PAPERS_LOOKAHEAD_MS if lookahead_ms is None else lookahead_ms
    audio = source.audio[: source.train_frames * SAMPLES_PER_FRAME]
    return WindowListener.fit(speech.load(ENCODER, progress), audio, lookahead_ms=ahead), None


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


def _motion(capture: Capture, free: bool) -> tuple[Motion, np.ndarray | None]:
    """How the avatar moves, from the training frames; where it is not free, with the plates of just these frames."""
    # Where frames are cut there is no body to go with a pose, and the stillest poses of all.
    tracking, whole = capture.tracking, capture.longest_part(capture.train_frames)
    motion = Motion(tracking.rotations[whole], tracking.translations[whole], tracking.blink[whole])
    if free and (ring := motion.looped()).closed:
        return ring, None
    part = slice(*calm_stretch(motion.rotations, motion.translations))
    motion = Motion(motion.rotations[part], motion.translations[part], motion.blink[part])
    return motion, None if free else np.asarray(capture.plates[whole][part])


def _avatar(
    folder: Path,
    trainer: Trainer,
    talker: Talker,
    torso: Torso | None,
    capture: Capture,
    listener: Listener,
    recipe: dict[str, Any],
) -> Avatar:
    """What the talker is now, with all it needs to speak; `folder` is where it will be written."""
    motion, plates = _motion(capture, torso is not None)
    seconds = trainer.seconds + (torso.seconds if torso else 0)
    info = {
        "training": {"seconds": round(seconds, 1), "steps": trainer.steps_done, "curve": trainer.curve},
        "recipe": recipe,
        "capture": os.path.relpath(capture.path.resolve(), folder.resolve()),
        "synthetic": "Everything this avatar shows and says is generated.",
    }
    return Avatar(
        info,
        talker.eval().requires_grad_(False),
        listener,
        capture.camera,
        motion,
        plates,
        copy.deepcopy(torso.field).to(trainer.device) if torso else None,
    )


def _present(avatar: Avatar, out: Path, capture: Capture, progress: Progress) -> None:
    """What people look at first: a card, and a clip of sound that was not trained on."""
    with atomic_path(out / "README.md") as temporary:
        temporary.write_text(model_card(avatar.facts), encoding="utf-8")
    held_out = capture.audio[capture.train_frames * SAMPLES_PER_FRAME :][: PREVIEW_FRAMES * SAMPLES_PER_FRAME]
    avatar.speak(held_out).save(out / "preview.mp4", progress)
