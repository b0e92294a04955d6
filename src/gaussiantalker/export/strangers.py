"""Which Gaussians are not the person's: at the edge of hair some have learnt what was filmed behind them.

Over that background nobody sees them; over a page they are a rim. So of those within a few pixels of the silhouette the
ones are left out there whose colour is nearer to what lies outside than to what lies inside, in most of the poses.
"""

import numpy as np
import torch
from scipy.ndimage import binary_closing, binary_dilation, binary_erosion, binary_fill_holes, gaussian_filter
from torch import Tensor

from gaussiantalker.geometry import project
from gaussiantalker.speaking import Avatar
from gaussiantalker.splatting.reference import shade
from gaussiantalker.talker import AUDIO, EYE, Drive, render
from gaussiantalker.talker.talker import Splats

_POSES = 8
_SOLID = 0.5  # alpha of what belongs to the person
_DIFFERENT = 0.04  # of a colour from the background's, from which on it is not the same
_RIM = 0.02  # of the picture's side, inside and outside of the silhouette
_REACH = 0.03  # of the same: how far around colours are averaged


@torch.inference_mode()
def strangers(avatar: Avatar) -> Tensor:
    """Of the head's Gaussians, bool [N], those that are the background's."""
    frames = np.linspace(0, len(avatar.motion) - 1, _POSES).astype(int)
    views, codes = (torch.from_numpy(part[frames]).float() for part in (avatar.motion.viewmats, avatar.moved.codes))
    heard = torch.zeros(_POSES, avatar.listener.channels)
    drive = Drive(
        {AUDIO: heard, EYE: torch.from_numpy(avatar.motion.blink[frames]).float()}, views, torch.arange(_POSES)
    )
    shapes = avatar.shapes
    head = shapes.twin(shapes.coefficients(avatar.talker.conditions(drive)), views)
    ones = (Splats(*(t[k : k + 1] for t in head)) for k in range(_POSES))
    votes = [_ballot(avatar, one, views[k], codes[k : k + 1]) for k, one in enumerate(ones)]
    return torch.stack(votes).sum(dim=0) > 0


def _ballot(avatar: Avatar, head: Splats, view: Tensor, code: Tensor) -> Tensor:
    """Of a head's Gaussians in one frame -1, 0 or 1: inside colours, not at the rim, outside colours."""
    torso = avatar.torso
    assert torso is not None  # a page shows no avatar without one
    background, K = torso.background, torch.from_numpy(avatar.camera.K).float()
    degree = round(head.sh.shape[2] ** 0.5) - 1
    before, body = torso.covering(code)
    picture, covered, _ = render(head, view[None], K, before, degree)
    alpha = 1 - (1 - body) * (1 - covered)
    picture, behind = picture[0].numpy(), background.numpy()
    size = max(behind.shape)
    inside = _whole((alpha[0, ..., 0].numpy() > _SOLID) & (np.abs(picture - behind).max(axis=-1) > _DIFFERENT))
    rim = max(round(_RIM * size), 2)
    core = np.asarray(binary_erosion(inside, iterations=rim, border_value=1), bool)
    around = np.asarray(binary_dilation(inside, iterations=rim), bool)
    own, others = _average(picture, core, _REACH * size), _average(behind, ~around, _REACH * size)
    pixels = project(head.means[0].numpy(), view.numpy(), K.numpy()).astype(int)
    column, row = (np.clip(pixels[:, i], 0, behind.shape[1 - i] - 1) for i in (0, 1))
    colours = shade(head.means, view[None], head.sh, degree)[0].numpy()
    nearer = _apart(colours, others[row, column]) < _apart(colours, own[row, column])
    return torch.from_numpy(np.where(core[row, column], 0.0, np.where(nearer, 1.0, -1.0)))


def _whole(mask: np.ndarray) -> np.ndarray:
    """Without holes, also not where the picture ends below."""
    closed = np.asarray(binary_closing(np.pad(mask, 2, mode="edge"), iterations=2))[2:-2, 2:-2]
    return np.asarray(binary_fill_holes(np.vstack([closed, np.ones_like(mask[:1])])))[:-1]


def _average(picture: np.ndarray, mask: np.ndarray, reach: float) -> np.ndarray:
    """Mean colours [H, W, 3] of a picture around each place, of what lies in the mask."""
    weights = gaussian_filter(mask.astype(float), reach) + 1e-6
    sums = np.stack([gaussian_filter(picture[..., c] * mask, reach) for c in range(3)], axis=-1)
    return sums / weights[..., None]


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.square(one - other).sum(axis=-1)
