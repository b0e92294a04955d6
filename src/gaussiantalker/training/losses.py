"""What training minimises (GaussianTalker, section 4.4 and supplement)."""

import torch
from torch import Tensor

from gaussiantalker.splatting.ssim import ssim
from gaussiantalker.talker import Shots
from gaussiantalker.training.schedule import Schedule


def photometric_loss(image: Tensor, alpha: Tensor, shots: Shots, schedule: Schedule) -> Tensor:
    """L1 + D-SSIM over the picture, L1 over lips and eyes, and L1 between alpha and the head mask.

    The mask term is the public code's in intent; alpha takes the place of its saturated depth.
    image [B, H, W, 3], alpha [B, H, W, 1].
    """
    loss = schedule.weight_l1 * (image - shots.image).abs().mean()
    structure = ssim(image.movedim(-1, 1), shots.image.movedim(-1, 1)).mean()
    loss = loss + schedule.weight_ssim * (1 - structure)
    loss = loss + schedule.weight_mask * (alpha[..., 0] - shots.head).abs().mean()
    for weight, boxes in ((schedule.weight_lips, shots.lips), (schedule.weight_eyes, shots.eyes)):
        loss = loss + weight * patch_loss(image, shots.image, boxes)
    return loss


def patch_loss(image: Tensor, truth: Tensor, boxes: Tensor) -> Tensor:
    """Mean absolute error over one patch [4] (left, top, right, bottom) per picture, all pixels counting the same."""
    errors = [
        (image[b, top:bottom, left:right] - truth[b, top:bottom, left:right]).abs().flatten()
        for b, (left, top, right, bottom) in enumerate(boxes.tolist())
    ]
    return torch.cat(errors).mean()


@torch.no_grad()
def head_psnr(image: Tensor, shots: Shots) -> float:
    """Decibels over the head's pixels, [B, H, W, 3] in [0, 1]."""
    error = ((image.clamp(0, 1) - shots.image) ** 2).mean(dim=-1)
    return float(-10 * torch.log10((error * shots.head).sum() / shots.head.sum().clamp_min(1) + 1e-12))
