"""Fitting the torso to what the frames show beside the head: flow, texture, shades, and every frame's own code."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.capture import Capture
from gaussiantalker.capture.fill import pull_push, rows_down_to
from gaussiantalker.capture.labels import NECK
from gaussiantalker.geometry import rigid
from gaussiantalker.progress import Progress
from gaussiantalker.talker.torso import Torso, habit_numbers, pose_numbers, slow_part
from gaussiantalker.talker.torso_reading import MIXED, Reader, beside_head, coarse_flow
from gaussiantalker.training.checkpoint import read_checkpoint, write_checkpoint

_STAGE = "neck and shoulders"
_SAMPLES = 150  # frames from which flow and shades are learnt; the codes of all are read
MOVES, SHADES = 8, 16
_GRID = 24  # cells of the flow across the picture
_SHADES_SIDE = 320  # texels across at most: shades are softer than the texture
_HABIT_COST = 0.03  # of ridge regression from poses to codes, per frame
# Lengths as shares of the picture's side.
_ABOVE = 0.02  # kept above the topmost pixel of the body
_FARTHEST = 0.12  # that the texture goes on beyond the picture, at most
_SOFT = 0.004  # of the border of what no frame shows
_SHARPER, _BLUR = 0.7, 0.7  # what is twice resampled is blurred twice: by how much, over how many pixels
_SEEN = 0.03  # of the frames must show what is taken from them
_ROUNDS = 4  # of completing what the head hides in each frame by what others show there
# Lengths in head units.
_NECK_REACH, _NECK_LEAST, _CLOTHES_REACH, _NARROW = 0.6, 0.3, 0.12, 0.6


class Body(NamedTuple):
    """A torso, and the codes of all training frames."""

    torso: Torso
    codes: Tensor  # [F, K]
    seconds: float


def kept_body(path: Path, capture: Capture, frames: np.ndarray, recipe: dict[str, Any], progress: Progress) -> Body:
    """The body of this recipe: the one in `path`, where a training that was stopped left it, or a new one."""
    if path.is_file():
        state, facts = read_checkpoint(path)
        if facts["recipe"] == recipe:
            codes = state.pop("codes")
            return Body(Torso(state, capture.background), codes, facts["seconds"])
    started = time.perf_counter()
    torso, codes = _fit_torso(capture, frames, capture.train_frames, progress)
    out = Body(torso, codes, time.perf_counter() - started)
    write_checkpoint(path, {**torso.state_dict(), "codes": codes}, {"recipe": recipe, "seconds": out.seconds})
    return out


def _fit_torso(capture: Capture, frames: np.ndarray, stop: int, progress: Progress) -> tuple[Torso, Tensor]:
    """A torso for these frames of a capture, and the codes [stop, K] of all frames before `stop`."""
    progress.stage(_STAGE, stop)
    poses = rigid(capture.tracking.rotations, capture.tracking.translations)
    viewmats, sway = (torch.from_numpy(part).float() for part in (poses, slow_part(poses)))
    chosen = frames[np.unique(np.linspace(0, len(frames) - 1, _SAMPLES).astype(int))]
    usual = np.square(poses[chosen] - np.median(poses[chosen], axis=0)).sum(axis=(1, 2)).argmin()
    samples = _Samples(capture, chosen, int(usual))
    state = samples.state(capture.camera.focal / float(np.median(poses[frames, 2, 3])))
    numbers = pose_numbers(viewmats[frames])
    deviation = numbers.std(dim=0, correction=0)
    state["pose_mean"] = numbers.mean(dim=0)
    state["pose_scale"] = deviation.clamp_min(max(0.1 * float(deviation.max()), 1e-3))
    reader = Reader(Torso(state, capture.background))
    codes = torch.zeros(stop, MOVES + SHADES)
    for frame in range(stop):
        codes[frame] = reader.read(capture.plates[frame], capture.labels[frame])
        progress.update(frame + 1)
    seen = habit_numbers(viewmats[frames], sway[frames], state["pose_mean"], state["pose_scale"])
    cost = _HABIT_COST * len(frames) * torch.eye(seen.shape[1])
    cost[0] = 0  # the usual code is free
    state["habits"] = torch.linalg.solve(seen.T @ seen + cost, seen.T @ codes[frames])
    return Torso(state, capture.background), codes


class _Samples:
    """Some frames of a capture without their heads, brought into the place that the body has in one of them."""

    def __init__(self, capture: Capture, frames: np.ndarray, usual: int):
        labels = np.asarray(capture.labels[frames])
        rows = np.flatnonzero((labels >= NECK).any(axis=2).mean(axis=0) > _SEEN)
        size = capture.size
        self.top = int(np.clip((rows[0] if len(rows) else size) - round(_ABOVE * size), 0, size - 16))
        self.plates, self.labels = np.asarray(capture.plates[frames, self.top :]), labels[:, self.top :]
        self.beside = np.stack([beside_head(label, MIXED) for label in labels])[:, self.top :]
        self.size, body = size, self.beside & (self.labels >= NECK)
        grid = (max(2, round(_GRID * (size - self.top) / size)), _GRID)
        reference = self.plates[usual]
        flows = [coarse_flow(plate, reference, where, grid) for plate, where in zip(self.plates, body, strict=True)]
        self.flow, self.moves = _principal(torch.from_numpy(np.stack(flows)), MOVES)
        reach = min(float(self._moved().abs().max()), _FARTHEST * size)
        self.margin = int(np.ceil(reach)) + 2

    def _moved(self) -> Tensor:
        return self.flow[0] + (self.moves @ self.flow[1:].flatten(1)).unflatten(1, self.flow.shape[1:])

    def state(self, unit: float) -> dict[str, Tensor]:
        """All of a torso but what poses do to it; `unit` is the distance of the outer eye corners in pixels."""
        height, width = self.size - self.top + self.margin, self.size + 2 * self.margin
        small = _within((height, width), _SHADES_SIDE)
        sums, count, body, neck = np.zeros((height, width, 3)), *(np.zeros((height, width)) for _ in range(3))
        shaded, seen = [], []
        for number, flow in enumerate(self._moved()):
            color, sure, label = self._placed(number, flow)
            sums, count = sums + color * sure[..., None], count + sure
            body, neck = body + sure * (label >= NECK), neck + sure * (label == NECK)
            shaded.append(cv2.resize(color * sure[..., None], small[::-1], interpolation=cv2.INTER_AREA))
            seen.append(cv2.resize(sure.astype(np.float32), small[::-1], interpolation=cv2.INTER_AREA))
        known = count > _SEEN * len(self.plates)
        texture = self._texture(sums, count, body, neck, known, unit)
        alpha = cv2.resize(texture[..., 3], small[::-1], interpolation=cv2.INTER_AREA)
        known = cv2.resize(known.astype(np.float32), small[::-1], interpolation=cv2.INTER_AREA)
        scale, shades = _shade_modes(np.stack(shaded), np.stack(seen), alpha * known)
        return {
            "texture": torch.from_numpy(np.moveaxis((texture * 255).round(), -1, 0).astype(np.uint8).copy()),
            "shades": shades,
            "shade_scale": scale,
            "flow": self.flow,
            "origin": torch.tensor([self.top, self.margin]),
            "habits": torch.zeros(19, MOVES + SHADES),
        }

    def _placed(self, number: int, flow: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A frame where the texture has it: colours [h, w, 3], whether they are the body's own or what is beside it
        [h, w], and labels [h, w]."""
        height, width = self.size - self.top, self.size
        fine = F.interpolate(flow[None], size=(height, width), mode="bilinear", align_corners=True)[0].numpy()
        down, across = np.mgrid[: height + self.margin, -self.margin : width + self.margin].astype(np.float32)
        x, y = across, down
        for _ in range(_ROUNDS * 2):  # the flow leads from pixels to texels, and here the way back is wanted
            dx, dy = (cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in fine)
            x, y = across - dx, down - dy
        plate = self.plates[number].astype(np.float32) / 255
        plate = plate + _SHARPER * (plate - cv2.GaussianBlur(plate, (0, 0), _BLUR))
        beside, label = self.beside[number].astype(np.float32), self.labels[number]
        color = cv2.remap(plate, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).clip(0, 1)
        sure = cv2.remap(beside, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) > 0.99
        return color, sure, cv2.remap(label, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)

    def _texture(
        self, sums: np.ndarray, count: np.ndarray, body: np.ndarray, neck: np.ndarray, known: np.ndarray, unit: float
    ) -> np.ndarray:
        """Premultiplied colours and alpha [h, w, 4], the neck drawn on behind the head."""
        alpha = np.where(known, body / np.maximum(count, 1), 0).astype(np.float32)
        inside = np.zeros_like(known)
        inside[: self.size - self.top, self.margin : -self.margin] = True
        seen = alpha > 0.5
        hidden = _behind_head(seen, (neck > 0) & seen, ~known & inside, unit)
        soft = ndimage.gaussian_filter((hidden | seen).astype(np.float32), _SOFT * self.size)
        drawn = np.where(inside, soft, pull_push(alpha[..., None], known.astype(np.float32))[..., 0])
        alpha = np.where(known, alpha, drawn)
        usual = (sums / np.maximum(count, 1)[..., None]).astype(np.float32)
        skin = known & seen & (neck > body / 2)
        colors = pull_push(usual, (known & seen).astype(np.float32))
        if skin.any():
            colors = np.where((hidden & inside)[..., None], pull_push(usual, skin.astype(np.float32)), colors)
        colors = np.where((known & (alpha > 0))[..., None], usual, colors)
        return np.concatenate([colors * alpha[..., None], alpha[..., None]], axis=-1).astype(np.float32)


def _principal(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The mean of values [F, ...] and their `count` principal directions of change, each as long as its deviation
    [1 + count, ...]; and by how many of these each value is off [F, count]."""
    flat = values.flatten(1)
    mean = flat.mean(dim=0)
    left, sizes, right = torch.linalg.svd(flat - mean, full_matrices=False)
    found = min(count, len(sizes))
    modes, weights = torch.zeros(count, flat.shape[1]), torch.zeros(len(flat), count)
    modes[:found] = sizes[:found, None] * right[:found] / len(flat) ** 0.5
    weights[:, :found] = left[:, :found] * len(flat) ** 0.5
    return torch.cat([mean[None], modes]).unflatten(1, values.shape[1:]), weights


def _shade_modes(colors: np.ndarray, seen: np.ndarray, alpha: np.ndarray) -> tuple[Tensor, Tensor]:
    """How the colours of frames [F, h, w, 3], as far as they are seen [F, h, w], differ most where alpha [h, w] is: a
    scale [SHADES] and int8 [SHADES, 3, h, w], premultiplied. Colours come already multiplied by what is seen.

    What a frame does not show is completed by what the modes say of it, again and again.
    """
    where = alpha > 0.02
    weight = torch.from_numpy(seen[:, where])[..., None]
    values = torch.from_numpy(colors[:, where])
    whole = (weight > 0.99).float()
    mean = (values * whole).sum(0) / whole.sum(0).clamp_min(1)
    change = ((values - mean) * whole * torch.from_numpy(alpha[where])[:, None]).flatten(1)
    mask = whole.expand(-1, -1, 3).flatten(1)
    filled = change
    for _ in range(_ROUNDS):
        size, left = torch.linalg.eigh(filled @ filled.T)
        left = left.flip(1)[:, :SHADES]
        modes = left.T @ filled
        filled = torch.where(mask > 0, change, left @ modes)
    modes = modes / len(values) ** 0.5
    out = torch.zeros(SHADES, *alpha.shape, 3)
    out[: len(modes), torch.from_numpy(where)] = modes.unflatten(1, (-1, 3))
    scale = out.abs().amax(dim=(1, 2, 3)).clamp_min(1e-6) / 127
    shades = (out.movedim(-1, 1) / scale[:, None, None, None]).round().to(torch.int8)
    return scale * 255, shades.contiguous()


def _behind_head(seen: np.ndarray, neck: np.ndarray, unknown: np.ndarray, unit: float) -> np.ndarray:
    """Texels no frame shows where the neck goes on upwards, and a little of the clothes; `unit` in pixels."""
    columns = neck.any(0)
    if not columns.any():  # a beard or a scarf: take the middle of what the head covers
        middle = np.flatnonzero(unknown.any(0)).mean() if unknown.any() else unknown.shape[1] / 2
        columns = np.abs(np.arange(unknown.shape[1]) - middle) < _NARROW * unit
    below = rows_down_to(seen, unknown)
    starts = (below == 1) & columns
    row = np.median(np.nonzero(starts)[0]) if starts.any() else unknown.shape[0]
    rows = np.arange(unknown.shape[0])[:, None]
    reached = columns & np.isfinite(below) & ((below <= _NECK_LEAST * unit) | (rows > row - _NECK_REACH * unit))
    return (reached | (below <= _CLOTHES_REACH * unit)) & ~seen


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    share = min(1.0, side / size[1])
    return max(2, round(size[0] * share)), max(2, round(size[1] * share))
