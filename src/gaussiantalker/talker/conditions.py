"""Condition tokens: what a Gaussian may listen to (GaussianTalker, section 4.3)."""

import math

import torch
from torch import Tensor, nn

from gaussiantalker.talker.audio import SpeechNet, keep_variance

EYE_HARMONICS = 3


def eye_encoding(blink: Tensor) -> Tensor:
    """Blink [B] in [0, 1] as sines and cosines [B, 6] of up to three quarters of a period, counted from the open eye.

    The public code's frequencies reach 5,623 rad, where neighbouring values of the blink share nothing, and octaves of
    half a period give open and shut nearly the same numbers. Here a shut eye is far from an open one, which is zero,
    and a half-shut one lies between them.
    """
    angles = blink[:, None] * math.pi / 2 * torch.arange(1, EYE_HARMONICS + 1, device=blink.device)
    return torch.cat([angles.sin(), angles.cos() - 1], dim=-1)


def _mlp(inputs: int, width: int) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(inputs, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False))
    keep_variance(network)
    return network


class Conditions(nn.Module):
    """The tokens {audio, eye, camera, null}, each of which a method may leave out."""

    def __init__(self, names: tuple[str, ...], speech_channels: int, width: int):
        super().__init__()
        self.names = names
        if "audio" in names:
            self.speech = SpeechNet(speech_channels)
            self.audio = _mlp(32, width)
        if "eye" in names:
            self.eye = _mlp(2 * EYE_HARMONICS, width)
        if "camera" in names:
            self.camera = _mlp(12, width)
        if "null" in names:
            self.null = nn.Parameter(torch.randn(width))

    def forward(self, contexts: Tensor, blink: Tensor, pose: Tensor) -> Tensor:
        """Speech contexts [B, 8, 16, C], blink [B] and standardised pose [B, 12] to tokens [B, tokens, width]."""
        tokens = {
            "audio": lambda: self.audio(self.speech(contexts)),
            "eye": lambda: self.eye(eye_encoding(blink)),
            "camera": lambda: self.camera(pose),
            "null": lambda: self.null.expand(len(blink), -1),
        }
        return torch.stack([tokens[name]() for name in self.names], dim=1)
