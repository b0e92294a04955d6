"""Condition tokens: what a Gaussian may listen to (GaussianTalker, section 4.3)."""

import math

import torch
from torch import Tensor, nn

from gaussiantalker.talker.audio import SpeechNet, keep_variance
from gaussiantalker.talker.kan import TaylorLayer
from gaussiantalker.talker.method import Method

EYE_HARMONICS = 3


def eye_encoding(blink: Tensor) -> Tensor:
    """Blink [B] in [0, 1] as sines and cosines [B, 6] of up to three quarters of a period, counted from the open eye.

    The public code's frequencies reach 5,623 rad, where neighbouring values of the blink share nothing, and octaves of
    half a period give open and shut nearly the same numbers. Here a shut eye is far from an open one, which is zero,
    and a half-shut one lies between them.
    """
    angles = blink[:, None] * math.pi / 2 * torch.arange(1, EYE_HARMONICS + 1, device=blink.device)
    return torch.cat([angles.sin(), angles.cos() - 1], dim=-1)


def periodic_position(index: Tensor, period: int, width: int) -> Tensor:
    """Sines and cosines [B, width] of index [B] modulo a period (EGSTalker, PPE): sin((t mod p) / 10000^(2i/d))."""
    place = (index % period).float()[:, None]
    angles = place * 10_000.0 ** (-torch.arange(0, width, 2, device=index.device) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]


class Conditions(nn.Module):
    """The tokens {audio, eye, camera, null}, each of which a method may leave out."""

    def __init__(self, method: Method, speech_channels: int):
        super().__init__()
        self.names, width = method.conditions, method.width
        self.period, self.period_along = method.period, method.period_along
        widen = {"mlp": _perceptron, "taylor": _taylor}[method.token_net]
        if "audio" in self.names:
            self.speech = SpeechNet(speech_channels)
            self.audio = widen(self.speech.width, width)
        if "eye" in self.names:
            self.eye = widen(2 * EYE_HARMONICS, width)
        if "camera" in self.names:
            self.camera = widen(12, width)
        if "null" in self.names:
            self.null = nn.Parameter(torch.randn(width))

    def forward(
        self, contexts: Tensor, blink: Tensor, pose: Tensor, frames: Tensor, articulation: float = 1.0
    ) -> Tensor:
        """Tokens [B, tokens, width] of speech contexts [B, 8, 16, C], blink [B], standardised pose [B, 12] and the
        frames' numbers [B]. `articulation` is how far speech may depart from silence, against what was learnt."""
        makers = {
            "audio": lambda: self.audio(self._heard(contexts, articulation)),
            "eye": lambda: self.eye(eye_encoding(blink)),
            "camera": lambda: self.camera(pose),
            "null": lambda: self.null.expand(len(blink), -1),
        }
        tokens = {name: makers[name]() for name in self.names}
        if self.period and self.period_along == "frames":
            tokens["audio"] = tokens["audio"] + periodic_position(frames, self.period, tokens["audio"].shape[-1])
        stacked = torch.stack(list(tokens.values()), dim=1)
        if self.period and self.period_along == "tokens":
            places = torch.arange(len(self.names), device=stacked.device)
            stacked = stacked + periodic_position(places, self.period, stacked.shape[-1])
        return stacked

    def _heard(self, contexts: Tensor, articulation: float) -> Tensor:
        """Speech features [B, width], drawn out from those of silence, or towards them."""
        heard = self.speech(contexts)
        if articulation == 1:
            return heard
        silence = self.speech(torch.zeros_like(contexts[:1]))
        return silence + articulation * (heard - silence)


def _perceptron(inputs: int, width: int) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(inputs, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False))
    keep_variance(network)
    return network


def _taylor(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(TaylorLayer(inputs, width), nn.ReLU(), TaylorLayer(width, width))
