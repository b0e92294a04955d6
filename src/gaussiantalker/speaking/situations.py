"""What a talker may be asked to show: what was filmed, and all that steering can make of it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.audio import read_audio
from gaussiantalker.speaking.motion import ARTICULATION_LIMIT, Motion, turned
from gaussiantalker.talker import AUDIO, EYE, Drive, Footage, Listener, Talker

_NOISE = 0.7  # deviation of features that stand for speech where none is known; over speech itself it is 1


class Situations:
    """Draws frames: as filmed; with blinks and poses of other frames; with any blink and articulation, turned."""

    def __init__(self, filmed: Drive, motion: Motion, limit: float, seed: int = 0):
        """`filmed` are the frames to draw from, `motion` the avatar's own, and `limit` the degrees of steering."""
        self.filmed, self.motion, self.limit = filmed, motion, limit
        self.random = np.random.default_rng(seed)

    def draw(self, count: int) -> Drive:
        """So many frames, of each kind a third."""
        drive, others, posed = self._some(count), self._some(count), self._some(count)
        kind = torch.from_numpy(self.random.integers(0, 3, count))
        mixed = {name: value if name == AUDIO else others.conditions[name] for name, value in drive.conditions.items()}
        steered = {**mixed, EYE: self._uniform(1, count)}
        return Drive(
            {name: _chosen(kind, value, mixed[name], steered[name]) for name, value in drive.conditions.items()},
            _chosen(kind, drive.viewmats, posed.viewmats, self._turned(posed.viewmats)),
            drive.frames,
            _chosen(kind, torch.ones(count), torch.ones(count), self._uniform(ARTICULATION_LIMIT, count)),
        )

    def utterances(self, count: int) -> Drive:
        """So many frames of speech under one pose, with one blink."""
        drive, one = self._some(count), torch.zeros(count, dtype=torch.long)
        held = {name: value[one] for name, value in drive.conditions.items() if name != AUDIO}
        return drive.given(**held)._replace(viewmats=drive.viewmats[one])

    def _uniform(self, high: float, count: int) -> Tensor:
        return torch.from_numpy(self.random.uniform(0, high, count)).float()

    def _some(self, count: int) -> Drive:
        return self.filmed.at(torch.from_numpy(self.random.integers(0, len(self.filmed.frames), count)))

    def _turned(self, viewmats: Tensor) -> Tensor:
        """Poses [B, 4, 4] as far from these as steering may lead."""
        poses = viewmats.double().numpy()
        degrees = self.random.uniform(-self.limit, self.limit, (len(poses), 3))
        return torch.from_numpy(turned(poses, self.motion.seen(poses, degrees))).float()


def _chosen(kind: Tensor, *values: Tensor) -> Tensor:
    """Of values [B, ...] of each kind, that of each frame's kind [B]."""
    return torch.stack(values)[kind, torch.arange(len(kind))]


def filmed(folder: Path, info: dict[str, Any], talker: Talker, listener: Listener, motion: Motion) -> Drive:
    """The frames that an avatar was trained on, as far as they can be found: in its capture; else the sound of its
    preview, or noise, under its own motion."""
    try:
        capture = Capture.load(folder / info["capture"])
        footage = Footage(capture, listener, talker.conditions.seen(capture))
        return footage.drive(footage.usable(0, capture.train_frames))
    except (KeyError, GaussianTalkerError):
        frames = np.arange(len(motion))
    if (folder / "preview.mp4").is_file():
        known = listener.hear(read_audio(folder / "preview.mp4"))
        heard = torch.from_numpy(known[frames % len(known)])
    else:
        generator = torch.Generator().manual_seed(0)
        heard = _NOISE * torch.randn(len(frames), *listener.silence.shape, generator=generator)
    seen = {AUDIO: heard, EYE: torch.from_numpy(motion.blink).float()}
    return Drive(seen, torch.from_numpy(motion.viewmats).float(), torch.from_numpy(frames))
