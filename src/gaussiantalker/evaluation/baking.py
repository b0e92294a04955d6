"""Metrics of baking: blendshapes against the network per Gaussian that they stand for."""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from gaussiantalker.evaluation.held_out import Rendering, shared
from gaussiantalker.evaluation.metric import Metric
from gaussiantalker.evaluation.record import NotMeasured, Score
from gaussiantalker.speaking.rendering import BATCH
from gaussiantalker.talker import Footage

_FLOOR = 1e-10  # mean squared error of pictures that are as good as the same: 100 dB
_REGIONS = {"whole": "whole frame", "lips": "box of the true frame's lips"}


@shared
def _likeness(rendering: Rendering) -> dict[str, np.ndarray]:
    """Decibels between both, of every held-out frame [n], by region."""
    avatar, truth = rendering.avatar, rendering.reference
    if avatar.blendshapes is None:
        raise NotMeasured("the network itself was run")
    footage = Footage(truth.capture, avatar.listener, avatar.talker.conditions.seen(truth.capture))
    renderers, device = (avatar.renderer, replace(avatar, blendshapes=None).renderer), avatar.talker.device
    rendering.progress.stage("comparing with the network", len(truth))
    found = {name: [] for name in _REGIONS}
    for start in range(truth.first, truth.frames.stop, BATCH):
        index = np.arange(start, min(start + BATCH, truth.frames.stop))
        drive = footage.drive(index)._replace(articulation=avatar.articulation).to(device)
        body = footage.bodies(index, avatar.torso)
        behind = (torch.from_numpy(np.array(truth.capture.plates[index])) if body is None else body).to(device)
        baked, exact = (each.shade(drive, behind) for each in renderers)
        error = (baked - exact).square().mean(dim=-1).cpu().numpy()
        for picture, (left, top, right, bottom) in zip(error, footage.lips[index], strict=True):
            found["whole"].append(_decibels(picture))
            found["lips"].append(_decibels(picture[top:bottom, left:right]))
        rendering.progress.update(len(found["whole"]))
    return {name: np.array(values) for name, values in found.items()}


def _decibels(error: np.ndarray) -> float:
    return -10 * float(np.log10(max(float(error.mean()), _FLOOR)))


def _score(rendering: Rendering, region: str, worst: bool) -> Score:
    values = _likeness(rendering)[region]
    return Score(float(values.min() if worst else values.mean()), len(values), "")


METRICS = tuple(
    Metric(
        f"baking_{region}{'_worst' if worst else ''}",
        f"Blendshapes against the network, {region}{', worst frame' if worst else ''}",
        partial(_score, region=region, worst=worst),
        "dB",
        "higher",
        where,
    )
    for region, where in _REGIONS.items()
    for worst in (False, True)
)
