"""Training the torso field: on what the frames show beside the head, and on nothing else."""

import math
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.optim import Adam

from gaussiantalker.capture import Capture
from gaussiantalker.capture.fill import pull_push
from gaussiantalker.capture.labels import BACKGROUND, HEAD, NECK
from gaussiantalker.geometry import rigid
from gaussiantalker.progress import Progress
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.splatting.ssim import ssim
from gaussiantalker.talker.torso import TorsoField, slow_part
from gaussiantalker.training.chance import TORSO, seed_torch
from gaussiantalker.training.checkpoint import read_checkpoint, write_checkpoint
from gaussiantalker.training.finite import largest_gradient, not_finite

STAGE = "neck and shoulders"
STEPS_SHARE = 0.6  # of the deformation's steps, each of which takes five times as long
PER_PIXEL = 16  # Gaussians for each pixel of the picture's side: detail lies along edges, and these grow with the side
RATES = {"means": 5e-4, "quats": 1e-3, "log_scales": 5e-3, "opacity_logits": 2e-2, "sh": 5e-3}
RATE_PLANE, RATE_NETWORK, LAST_RATE = 1e-2, 2e-3, 0.05
WEIGHT_L1, WEIGHT_SSIM, WEIGHT_STEADY = 0.8, 0.2, 1e-3
SAMPLES = 60  # frames that are looked at for where the body is
# Lengths as shares of the picture's side.
_UNSURE = 0.008  # around the head's mask, where hair and shadow may belong to either side
_MIXED = 0.004  # around the head's mask, where pixels show both sides
_BEYOND = 0.06  # how far the torso goes on beyond the picture, for when it moves in
# Lengths in head units.
_NECK_REACH, _NECK_LEAST, _CLOTHES_REACH, _NARROW = 0.6, 0.3, 0.12, 0.6
_LAYERS = {"clothes": 0.0, "neck": 0.15, "hidden": 0.3}  # depth behind the head's middle


class Body:
    """Where the capture's body is and what it looks like: a picture of it without the head, one side's margin wider."""

    def __init__(self, capture: Capture, frames: np.ndarray):
        size, self.depth = capture.size, float(np.median(capture.tracking.translations[frames, 2]))
        chosen = frames[np.unique(np.linspace(0, len(frames) - 1, SAMPLES).astype(int))]
        labels, pictures = np.asarray(capture.labels[chosen]), np.asarray(capture.images[chosen], np.float32)
        clear = np.stack([beside_head(label, _UNSURE) for label in labels])
        body, behind = clear & (labels >= NECK), clear & (labels == BACKGROUND)
        self.seen = body.sum(0) > behind.sum(0)
        self.neck = (clear & (labels == NECK)).any(0) & self.seen
        self.hidden = self._behind_head(body.sum(0) + behind.sum(0) < 2, capture.camera.focal / self.depth)
        self.colors = pull_push(usual_colors(pictures, body), self.seen.astype(np.float32))
        self.margin = round(_BEYOND * size)

    def _behind_head(self, unknown: np.ndarray, unit: float) -> np.ndarray:
        """Pixels no frame shows where the neck goes on upwards, and a little of the clothes; `unit` in pixels."""
        columns = self.neck.any(0)
        if not columns.any():  # a beard or a scarf: take the middle of what the head covers
            middle = np.flatnonzero(unknown.any(0)).mean() if unknown.any() else unknown.shape[1] / 2
            columns = np.abs(np.arange(unknown.shape[1]) - middle) < _NARROW * unit
        below = rows_down_to(self.seen, unknown)
        starts = (below == 1) & columns
        row = np.median(np.nonzero(starts)[0]) if starts.any() else unknown.shape[0]
        rows = np.arange(unknown.shape[0])[:, None]
        neck = columns & np.isfinite(below) & ((below <= _NECK_LEAST * unit) | (rows > row - _NECK_REACH * unit))
        return (neck | (below <= _CLOTHES_REACH * unit)) & ~self.seen

    def gaussians(self, camera, seed: int) -> Gaussians:
        """Gaussians over the body, denser where there is more to see."""
        margin = ((0, self.margin), (self.margin, self.margin))
        seen, neck, hidden = (np.pad(part, margin, mode="edge") for part in (self.seen, self.neck, self.hidden))
        colors = np.pad(self.colors, (*margin, (0, 0)), mode="edge") / 255
        if not (seen | hidden).any():  # a head without a body: some Gaussians below the picture keep it a field
            seen[-self.margin :] = True
        rng = np.random.default_rng(seed)
        density = detail(colors, seen | hidden, camera.width)
        count = min(PER_PIXEL * camera.width, int((density > 0).sum()))
        places = np.sort(rng.choice(density.size, count, replace=False, p=(density / density.sum()).ravel()))
        rows, columns = np.divmod(places, density.shape[1])
        pixels = np.stack([columns - self.margin, rows], axis=-1) + rng.random((count, 2))
        flat = (pixels - [camera.cx, camera.cy]) / camera.focal * self.depth
        covered = hidden.ravel()[places]
        layer = np.where(neck.ravel()[places], _LAYERS["neck"], _LAYERS["clothes"])
        depth = self.depth + np.where(covered, _LAYERS["hidden"], layer)
        out = Gaussians.from_points(
            np.pad(flat, ((0, 0), (0, 1))), colors.reshape(-1, 3)[places], opacity=0.9, sh_degree=0
        )
        out.means[:, :2] *= torch.from_numpy(depth / self.depth).float()[:, None]
        out.means[:, 2] = torch.from_numpy(depth).float()
        # No picture will ever ask for what is always covered, so it must be whole from the start.
        out.opacity_logits[covered] += 3
        out.log_scales[covered] += 0.3
        return out


def beside_head(labels: np.ndarray, margin: float) -> np.ndarray:
    """Where labels [H, W] are not the head's nor next to it, bool; `margin` as a share of the picture's side."""
    return np.logical_not(ndimage.binary_dilation(labels == HEAD, iterations=max(1, round(margin * labels.shape[1]))))


def usual_colors(pictures: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Median colour [H, W, 3] of pictures [F, H, W, 3] where masks [F, H, W] say so, zero where never."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels that no mask holds
        return np.nan_to_num(np.nanmedian(np.where(masks[..., None], pictures, np.nan), axis=0)).astype(np.float32)


def rows_down_to(target: np.ndarray, through: np.ndarray) -> np.ndarray:
    """Rows [H, W] from each pixel down to its column's next `target`, passing only `through`; infinite without one."""
    out = np.full(target.shape, np.inf, np.float32)
    below = np.full(target.shape[1], np.inf, np.float32)
    for row in range(len(target) - 1, -1, -1):
        below = np.where(target[row], 0, np.where(through[row], below + 1, np.inf))
        out[row] = below
    return out


def detail(colors: np.ndarray, where: np.ndarray, size: int) -> np.ndarray:
    """How many Gaussians each pixel deserves [H, W]: by the picture's gradient and at the outline, nowhere too few."""
    blur = 1.5 * size / 256
    out = ndimage.gaussian_filter(np.hypot(*np.gradient(colors.mean(axis=-1))), blur)
    outline = ndimage.gaussian_gradient_magnitude(where.astype(np.float32), blur)
    out = out + outline * out[where].max() + 1e-6
    mean = out[where].mean()
    return np.where(where, np.clip(out, mean / 4, mean * 4), 0)


class Torso(NamedTuple):
    """A trained torso field and how long that took."""

    field: TorsoField
    seconds: float


def kept_torso(
    path: Path, capture: Capture, frames: np.ndarray, steps: int, recipe: dict[str, Any], progress: Progress
) -> Torso:
    """The torso field of this recipe: the one in `path`, where a training that was stopped left it, or a new one."""
    if path.is_file():
        state, facts = read_checkpoint(path)
        if facts["recipe"] == recipe:
            return Torso(TorsoField.from_state(state, capture.camera, capture.background), facts["seconds"])
    progress.stage(STAGE, steps)
    started = time.perf_counter()
    field = fit_torso(capture, frames, steps, recipe["seed"], progress)
    out = Torso(field, time.perf_counter() - started)
    write_checkpoint(path, field.state_dict(), {"recipe": recipe, "seconds": out.seconds})
    return out


def fit_torso(capture: Capture, frames: np.ndarray, steps: int, seed: int, progress: Progress) -> TorsoField:
    """A torso field for these frames of a capture."""
    seed_torch(seed, TORSO)
    field = TorsoField(Body(capture, frames).gaussians(capture.camera, seed), capture.camera, capture.background)
    tracking = capture.tracking
    poses = rigid(tracking.rotations, tracking.translations)
    viewmats, sway = torch.from_numpy(poses).float(), torch.from_numpy(slow_part(poses)).float()
    field.fit_pose(viewmats[frames])
    optimizer = Adam(_groups(field), eps=1e-15, fused=True)
    first_rates = [group["lr"] for group in optimizer.param_groups]
    order = np.random.default_rng(seed).choice(frames, steps)
    for step, frame in enumerate(order):
        for group, rate in zip(optimizer.param_groups, first_rates, strict=True):
            group["lr"] = rate * LAST_RATE ** (step / steps)
        # The frame between its neighbours, for steadiness.
        around = np.clip([frame - 1, frame, frame + 1], 0, len(viewmats) - 1)
        mix = field.mix(viewmats[around], sway[around])
        loss = torso_loss(field.lower(mix[1:2])[0][0], capture, frame, int(field.top))
        loss = loss + WEIGHT_STEADY * (mix[0] - 2 * mix[1] + mix[2]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        numbers = loss.detach(), largest_gradient(field.parameters())
        for what, number in zip(("the loss", "a gradient"), torch.stack(numbers).tolist(), strict=True):
            if not math.isfinite(number):
                raise not_finite(what, [int(frame)], step, STAGE)
        optimizer.step()
        progress.update(step + 1, loss=float(loss.detach()))
    return field.eval().requires_grad_(False)


def torso_loss(picture: Tensor, capture: Capture, frame: int, top: int) -> Tensor:
    """L1 + D-SSIM between rows of a picture [H - top, W, 3] and the frame's, where the head is not."""
    beside = torch.from_numpy(beside_head(capture.labels[frame], _MIXED)[top:, :, None]).float()
    truth = torch.from_numpy(np.array(capture.images[frame, top:])).float() / 255 * beside
    picture = picture * beside
    structure = ssim(picture.movedim(-1, 0), truth.movedim(-1, 0))
    return WEIGHT_L1 * (picture - truth).abs().mean() + WEIGHT_SSIM * (1 - structure)


def _groups(field: TorsoField) -> list[dict]:
    network = [*field.modes.parameters(), *field.weights.parameters()]
    return [
        *({"params": [field.raw[name]], "lr": rate} for name, rate in RATES.items()),
        {"params": [field.plane], "lr": RATE_PLANE},
        {"params": network, "lr": RATE_NETWORK},
    ]
