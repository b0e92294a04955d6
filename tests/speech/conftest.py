"""Sound made on the spot, and a tiny encoder of random weights with the same scheme as the pretrained one."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def babble() -> np.ndarray:
    """3.3 s that move like speech: half a second of pause, syllables of buzz and hiss, a pause, syllables."""
    rng = np.random.default_rng(3)
    time = np.arange(int(3.3 * 16_000)) / 16_000
    buzz = sum(np.sin(2 * np.pi * 120 * k * time + k) / k for k in range(1, 30))
    syllables = np.sin(2 * np.pi * 2.5 * time) ** 2
    speaking = ((time > 0.5) & (time < 1.5)) | (time > 2.3)
    sound = 0.1 * buzz * syllables + 0.03 * rng.standard_normal(len(time)) * (1 - syllables)
    return (sound * speaking + 1e-4 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.fixture(scope="session")
def tiny():
    """A Whisper encoder of 128 channels and random weights."""
    import torch

    from gaussiantalker.speech.whisper import Whisper
    from gaussiantalker.speech.whisper_net import WhisperNet

    torch.manual_seed(0)
    net = WhisperNet(channels=128, heads=2, layers=3, positions=64).eval()
    torch.nn.init.normal_(net.positions)
    return Whisper(net, layers=(1, 3))
