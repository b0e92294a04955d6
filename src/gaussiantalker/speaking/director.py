"""Frame by frame: what a talker is asked to show when these words are spoken, with whose movements, steered by whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gaussiantalker.speaking.motion import ARTICULATION_LIMIT, Motion, Steering, between, guessed, turned
from gaussiantalker.talker import AUDIO, EYE, Drive, Torso

_PLATES_LIMIT = 5.0  # degrees of steering over a torso that was recorded for another pose
_FREE_LIMIT = 40.0  # and over one that follows, as far as the head was filmed


def steering_limit(free: bool) -> float:
    """Degrees by which a head may be turned away from its motion, over a torso that follows or a recorded one."""
    return _FREE_LIMIT if free else _PLATES_LIMIT


class Take(NamedTuple):
    """B frames to be rendered."""

    drive: Drive
    body: Tensor | None  # [B, K] codes of the torso, where there is one
    index: np.ndarray  # [B] frames of the motion, whose plates are behind the head where there is no torso


@dataclass(frozen=True)
class Director:
    """A motion, how far the mouth moves, the torso that follows any pose (without one it keeps the recorded ones), and
    values of further conditions by name."""

    motion: Motion
    articulation: float
    torso: Torso | None
    conditions: Mapping[str, np.ndarray] = field(default_factory=dict)

    def take(self, heard: np.ndarray, first: float, steering: Steering | None, step: float = 1) -> Take:
        """The frames `first`, `first + step` and so on of a performance, in which this is heard [B, ...]."""
        places = first + step * np.arange(len(heard))
        frames = np.floor(places).astype(int)
        index, blink = self.motion.indices(frames), self.motion.blink_at(frames)
        if steering and steering.still and not self.torso:
            index = np.full_like(index, self.motion.rest)  # a recorded torso fits its own pose alone
        viewmats, sway = self.motion.viewmats[index], self.motion.sway[index]
        body = None if self.torso is None else self.motion.codes[index]
        if (share := places - frames).any():
            after = self.motion.indices(frames + 1)
            viewmats = between(viewmats, self.motion.viewmats[after], share)
            sway = sway + share[:, None, None] * (self.motion.sway[after] - sway)
            body = None if body is None else body + share[:, None] * (self.motion.codes[after] - body)
            blink = blink + share * (self.motion.blink_at(frames + 1) - blink)
        if steering:
            viewmats, body = self._steer(steering, viewmats, sway, body)
            blink = np.array([steering.lids(own) for own in blink])
            heard = np.stack([steering.lips(own) for own in heard])
        held = {name: np.repeat(value[None], len(frames), axis=0) for name, value in self.conditions.items()}
        seen = {**held, AUDIO: heard, EYE: blink}
        seen = {name: torch.from_numpy(np.array(value)).float() for name, value in seen.items()}
        further = np.nan_to_num(steering.articulation, nan=1.0) if steering else 1.0
        articulation = float(np.clip(self.articulation * further, 0, ARTICULATION_LIMIT))
        drive = Drive(seen, torch.from_numpy(viewmats).float(), torch.from_numpy(frames), articulation)
        return Take(drive, None if body is None else torch.from_numpy(body).float(), index)

    def _steer(
        self, steering: Steering, viewmats: np.ndarray, sway: np.ndarray, body: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Poses [B, 4, 4] and codes of the torso [B, K] where somebody steers poses, their slow parts and codes.

        With plates, a pose must stay near its own. A torso does what it did, and further what turned heads usually do
        to it.
        """
        motion = self.motion
        degrees, still = zip(*(steering.follow(steering_limit(self.torso is not None)) for _ in viewmats), strict=True)
        if self.torso is None or body is None:
            return turned(viewmats, motion.seen(viewmats, np.array(degrees))), None
        share, rest = np.array(still), np.full(len(viewmats), motion.rest)
        held = between(viewmats, motion.viewmats[rest], share)
        sway = sway + share[:, None, None] * (motion.viewmats[rest] - sway)
        body = body + share[:, None] * (motion.codes[rest] - body)
        steered = turned(held, motion.seen(held, np.array(degrees)))
        return steered, body + guessed(self.torso, steered, sway) - guessed(self.torso, held, sway)
