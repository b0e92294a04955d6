"""What training minimises (GaussianTalker, section 4.4 and supplement)."""

from typing import Protocol

import torch
from torch import Tensor

from gaussiantalker.perception import Lpips
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.splatting.ssim import ssim
from gaussiantalker.talker import Shots
from gaussiantalker.training.schedule import Schedule

_ELSEWHERE = 0.5  # share of the patches that do not look at the lips


class Loss(Protocol):
    """What training minimises is the sum of these."""

    def __call__(self, image: Tensor, alpha: Tensor, shots: Shots, step: int, canonical: bool) -> dict[str, Tensor]:
        """Weighted terms, each a number, by name: for rendered pictures [B, H, W, 3] and alpha [B, H, W, 1] of these
        shots at a step of one of the two stages."""
        ...


class PhotometricLoss:
    """L1 + D-SSIM over the picture, L1 over lips and eyes, L1 between alpha and the head mask, and now and then a
    perceptual distance.

    The mask term is the public code's in intent; alpha takes the place of its saturated depth.
    """

    def __init__(self, schedule: Schedule, progress: Progress = SILENT, device: torch.device | str = "cpu"):
        """For pictures on `device`.

        Raises:
            GaussianTalkerError: the schedule needs the weights of a network and they cannot be had.
        """
        self.schedule = schedule
        if schedule.weight_perceptual:
            network = Lpips("vgg" if schedule.perceptual == "vgg-features" else "alex", progress, device)
            self.perceptual = network.feature_loss if schedule.perceptual == "vgg-features" else network.loss

    def __call__(self, image: Tensor, alpha: Tensor, shots: Shots, step: int, canonical: bool) -> dict[str, Tensor]:
        plan = self.schedule
        structure = ssim(image.movedim(-1, 1), shots.image.movedim(-1, 1)).mean()
        terms = {
            "L1": plan.weight_l1 * (image - shots.image).abs().mean(),
            "SSIM": plan.weight_ssim * (1 - structure),
            "mask": plan.weight_mask * (alpha[..., 0] - shots.head).abs().mean(),
        }
        if plan.lips_in_canonical or not canonical:
            terms["lips"] = plan.weight_lips * patch_loss(image, shots.image, shots.lips)
        if plan.weight_eyes:
            terms["eyes"] = plan.weight_eyes * patch_loss(image, shots.image, shots.eyes)
        if plan.weight_perceptual and step % plan.perceptual_every == 0:
            weight = plan.weight_perceptual * plan.perceptual_every
            terms["perceptual"] = weight * self.perceptual(*some_patch(image, shots, plan.perceptual_patch))
        return terms


def some_patch(image: Tensor, shots: Shots, side: int) -> tuple[Tensor, Tensor]:
    """The same square of render and truth, [B, side, side, 3], half of the time around the first frame's lips, else at
    a random place that touches its head; the whole pictures where they are no larger, or `side` is 0.

    The mouth is what changes, and what people look at; of the head it is a twentieth.
    """
    height, width = image.shape[1:3]
    if not side or side >= min(height, width):
        return image, shots.image
    left, top, right, bottom = shots.lips[0].tolist()
    middle = (top + bottom) // 2, (left + right) // 2
    if torch.rand(()) < _ELSEWHERE and len(inside := shots.head[0].nonzero()):
        middle = inside[torch.randint(len(inside), ())].tolist()
    top, left = (min(max(at - side // 2, 0), size - side) for at, size in zip(middle, (height, width), strict=True))
    cut = (slice(None), slice(top, top + side), slice(left, left + side))
    return image[cut], shots.image[cut]


def patch_loss(image: Tensor, truth: Tensor, boxes: Tensor) -> Tensor:
    """Mean absolute error over one patch [4] (left, top, right, bottom) per picture, all pixels counting the same."""
    errors = [
        (image[b, top:bottom, left:right] - truth[b, top:bottom, left:right]).abs().flatten()
        for b, (left, top, right, bottom) in enumerate(boxes.tolist())
    ]
    return torch.cat(errors).mean()


@torch.no_grad()
def head_psnr(image: Tensor, shots: Shots) -> Tensor:
    """Decibels over the head's pixels, a number, of pictures [B, H, W, 3] in [0, 1]."""
    error = ((image.clamp(0, 1) - shots.image) ** 2).mean(dim=-1)
    return -10 * torch.log10((error * shots.head).sum() / shots.head.sum().clamp_min(1) + 1e-12)
