"""Learning to listen before learning to move, where a network does the listening.

The speech network is first taught what the tracker saw of the mouth. The papers train it through the pictures alone,
with hundreds of thousands of frames. On a CPU's few thousand, the way from a rendered lip back to the sound is too
faint to be found in time; the tracked mouth shows it in seconds.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaussiantalker.capture.folder import Tracking
from gaussiantalker.hardware import one_torch_thread
from gaussiantalker.talker.audio import SpeechNet
from gaussiantalker.talker.mouth_code import STILL, tracked_scores
from gaussiantalker.training.chance import LISTENING, seed_torch

_BATCH = 64
RATE, WEIGHT_DECAY = 2e-3, 0.1
NOISE, DROPOUT = 0.3, 0.3  # against learning a minute of speech by heart


def mouth_targets(tracking: Tracking) -> Tensor:
    """What is to be heard, standardised, [N, targets]: lip opening and the mouth's expression scores."""
    seen = tracked_scores(tracking)
    deviation = seen.std(axis=0)
    moving = deviation > STILL
    standard = (seen - seen.mean(axis=0))[:, moving] / deviation[moving]
    return torch.from_numpy(standard.clip(-4, 4)).float()


def learn_to_listen(network: SpeechNet, contexts: np.ndarray, targets: Tensor, steps: int, seed: int) -> None:
    """Trains the network on frames' speech contexts [N, 8, 16, C] and what they should tell [N, targets].

    One thread: the layers are so small that a second one costs more waiting than it saves, on busy cores twentyfold.
    """
    with one_torch_thread():
        _fit(network, contexts, targets, steps, seed)


def _fit(network: SpeechNet, contexts: np.ndarray, targets: Tensor, steps: int, seed: int) -> None:
    seed_torch(seed, LISTENING)
    device = next(network.parameters()).device
    reader = nn.Linear(network.width, targets.shape[1]).to(device)
    parameters = [*network.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=WEIGHT_DECAY)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        frames = torch.randint(len(targets), (_BATCH,))
        heard = torch.from_numpy(contexts[frames.numpy()]).to(device)
        guess = reader(F.dropout(network(heard + NOISE * torch.randn_like(heard)), DROPOUT))
        optimizer.zero_grad()
        F.mse_loss(guess, targets[frames].to(device)).backward()
        optimizer.step()
