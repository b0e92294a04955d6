"""Condition tokens: what a Gaussian may listen to (GaussianTalker, section 4.3).

A condition is one class: what it sees in a captured frame, what it takes for usual when nobody says, and the token that
tells it to the Gaussians. `TOKENS` names them; a class of your own is added there before a method names it.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from gaussiantalker.talker.audio import SpeechNet, keep_variance
from gaussiantalker.talker.drive import AUDIO, EYE, Drive
from gaussiantalker.talker.kan import TaylorLayer
from gaussiantalker.talker.method import Method
from gaussiantalker.talker.parts import part

if TYPE_CHECKING:
    from gaussiantalker.capture import Capture

_EYE_HARMONICS = 3
_POSE_NUMBERS = 12


def _eye_encoding(blink: Tensor) -> Tensor:
    """Blink [B] in [0, 1] as sines and cosines [B, 6] of up to three quarters of a period, counted from the open eye.

    The public code's frequencies reach 5,623 rad, where neighbouring values of the blink share nothing, and octaves of
    half a period give open and shut nearly the same numbers. Here a shut eye is far from an open one, which is zero,
    and a half-shut one lies between them.
    """
    angles = blink[:, None] * math.pi / 2 * torch.arange(1, _EYE_HARMONICS + 1, device=blink.device)
    return torch.cat([angles.sin(), angles.cos() - 1], dim=-1)


def _periodic_position(index: Tensor, period: int, width: int) -> Tensor:
    """Sines and cosines [B, width] of index [B] modulo a period (EGSTalker, PPE): sin((t mod p) / 10000^(2i/d))."""
    place = (index % period).float()[:, None]
    angles = place * 10_000.0 ** (-torch.arange(0, width, 2, device=index.device) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]


class Token(nn.Module):
    """Base of the conditions. A subclass says in `forward` what it tells the Gaussians in B frames, [B, width].

    One that sees more than sound, eyes and camera has a `shape`, finds its value in captured frames in `seen`, and
    reads it with `value`: what the drive gives under the token's name, else the mean over the training frames.
    """

    shape: tuple[int, ...] | None = None
    """Of its value in a frame; None for a token that reads nothing of its own."""
    usual: Tensor

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        if self.shape is not None:
            self.register_buffer("usual", torch.zeros(self.shape))

    def seen(self, capture: "Capture") -> np.ndarray | None:
        """Its value in every frame of a capture, [N, *shape]."""
        return None

    def fit(self, drive: Drive) -> None:
        """Learns from the training frames what is usual."""
        if self.shape is not None:
            self.usual.copy_(drive.conditions[self.name].mean(dim=0))

    def value(self, drive: Drive) -> Tensor:
        """[B, *shape]."""
        given = drive.conditions.get(self.name)
        return self.usual.expand(len(drive.frames), *self.usual.shape) if given is None else given

    def forward(self, drive: Drive) -> Tensor:
        """The token [B, width]."""
        raise NotImplementedError


class _AudioToken(Token):
    """Speech features, drawn out from those of silence or towards them by the drive's articulation; with EGSTalker's
    periodic position where the method has one."""

    def __init__(self, name: str, method: Method, width: int, heard: int):
        super().__init__(name)
        self.period = method.period if method.period_along == "frames" else 0
        self.speech = SpeechNet(heard)
        self.widen = _network(method, self.speech.width, width)

    def forward(self, drive: Drive) -> Tensor:
        token = self.widen(self._heard(drive.conditions[AUDIO], drive.articulation))
        return token + _periodic_position(drive.frames, self.period, token.shape[-1]) if self.period else token

    def _heard(self, contexts: Tensor, articulation: Tensor | float) -> Tensor:
        heard = self.speech(contexts)
        if isinstance(articulation, Tensor):
            articulation = articulation[:, None]
        elif articulation == 1:
            return heard
        silence = self.speech(torch.zeros_like(contexts[:1]))
        return silence + articulation * (heard - silence)


class _MouthToken(Token):
    """The mouth code [B, C] that a `MouthListener` reads from speech, drawn out from the mouth at rest, which is 0, or
    towards it by the drive's articulation. Ours."""

    def __init__(self, name: str, method: Method, width: int, heard: int):
        super().__init__(name)
        self.widen = _network(method, heard, width)

    def forward(self, drive: Drive) -> Tensor:
        articulation = drive.articulation
        if isinstance(articulation, Tensor):
            articulation = articulation[:, None]
        return self.widen(articulation * drive.conditions[AUDIO])


class _EyeToken(Token):
    """How far the eyes are shut."""

    def __init__(self, name: str, method: Method, width: int, heard: int):
        super().__init__(name)
        self.widen = _network(method, 2 * _EYE_HARMONICS, width)

    def forward(self, drive: Drive) -> Tensor:
        return self.widen(_eye_encoding(drive.conditions[EYE]))


class CameraToken(Token):
    """The head's pose before the camera, standardised by those of the training frames.

    Numbers that hardly vary are not blown up: none is divided by less than a tenth of the largest deviation.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, name: str, method: Method, width: int, heard: int):
        super().__init__(name)
        self.widen = _network(method, _POSE_NUMBERS, width)
        self.register_buffer("mean", torch.zeros(_POSE_NUMBERS))
        self.register_buffer("scale", torch.ones(_POSE_NUMBERS))

    def fit(self, drive: Drive) -> None:
        pose = drive.viewmats[:, :3].flatten(1)
        deviation = pose.std(dim=0)
        self.mean.copy_(pose.mean(dim=0))
        self.scale.copy_(deviation.clamp_min(max(0.1 * float(deviation.max()), 1e-3)))

    def forward(self, drive: Drive) -> Tensor:
        return self.widen((drive.viewmats[:, :3].flatten(1) - self.mean) / self.scale)


class NullToken(Token):
    """The same in every frame: for Gaussians that listen to nothing."""

    def __init__(self, name: str, method: Method, width: int, heard: int):
        super().__init__(name)
        self.vector = nn.Parameter(torch.randn(width))

    def forward(self, drive: Drive) -> Tensor:
        return self.vector.expand(len(drive.frames), -1)


TOKENS: dict[str, Callable[[str, Method, int, int], Token]] = {
    "audio": _AudioToken,
    "mouth": _MouthToken,
    "eye": _EyeToken,
    "camera": CameraToken,
    "null": NullToken,
}
"""Conditions by name. Called with the name, the method, channels of a token, and channels of what is heard."""


class Conditions(nn.ModuleDict):
    """The tokens of a method by name, in its order."""

    def __init__(self, method: Method, width: int, heard: int):
        """`width` channels a token; `heard` channels of speech.

        Raises GaussianTalkerError for a condition that is not in `TOKENS`.
        """
        made = {name: part(TOKENS, "condition", name)(name, method, width, heard) for name in method.conditions}
        super().__init__(made)
        self.period = method.period if method.period_along == "tokens" else 0

    @property
    def speech(self) -> SpeechNet | None:
        """The network that listens, where one does."""
        token = self["audio"] if "audio" in self else None
        return token.speech if isinstance(token, _AudioToken) else None

    @property
    def tokens(self) -> list[Token]:
        """In the method's order."""
        return [token for token in self.values() if isinstance(token, Token)]

    def seen(self, capture: "Capture") -> dict[str, Tensor]:
        """What tokens see of a capture besides sound, eyes and camera, in all frames, by name."""
        found = {token.name: token.seen(capture) for token in self.tokens}
        return {name: torch.from_numpy(np.array(value)).float() for name, value in found.items() if value is not None}

    def fit(self, drive: Drive) -> None:
        """Has every token learn from the training frames what is usual."""
        for token in self.tokens:
            token.fit(drive)

    def forward(self, drive: Drive) -> Tensor:
        """Tokens [B, tokens, width] of B frames."""
        stacked = torch.stack([token(drive) for token in self.values()], dim=1)
        if self.period:
            places = torch.arange(len(self), device=stacked.device)
            stacked = stacked + _periodic_position(places, self.period, stacked.shape[-1])
        return stacked


def _network(method: Method, inputs: int, width: int) -> nn.Sequential:
    """What widens a token's numbers."""
    if method.token_net == "taylor":
        return nn.Sequential(TaylorLayer(inputs, width), nn.ReLU(), TaylorLayer(width, width))
    network = nn.Sequential(nn.Linear(inputs, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False))
    keep_variance(network)
    return network
