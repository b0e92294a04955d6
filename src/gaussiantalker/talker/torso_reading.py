"""Body codes as frames show them: how a torso must be moved and shaded to look like a picture."""

import copy

import cv2
import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.capture.labels import HEAD, NECK
from gaussiantalker.talker.torso import Torso

MIXED = 0.004  # of the picture's side: around the head's mask, where pixels show both sides
_FLOW_SIDE = 256  # pixels: flow is as smooth as its grid, and needs no larger pictures
_NEAR, _WIDE, _WIDE_SHARE = 0.025, 0.1, 0.1  # of the side: how far flow is averaged, and drawn on where none is known
_STEPS = 2  # of Gauss-Newton
_PIXELS = 6_000  # that are looked at, about
_SOME = 0.02  # alpha of what belongs to the torso
_FARTHEST = 4.0  # deviations
_NOISE = 2.0 / 255  # of pixels, against which a code of one deviation must pay


class Reader:
    """Reads the codes of frames for one torso (Matthews and Baker 2004, the simultaneous fit), on the host."""

    def __init__(self, torso: Torso):
        self.torso = torso = copy.deepcopy(torso).cpu()
        top, margin = torso.place
        background = torso.background[top:]
        height, width = background.shape[:2]
        texture = torso.floats[0][:, :height, margin : margin + width].movedim(0, -1)
        shown = texture[..., :3] + (1 - texture[..., 3:]) * background
        self.reference = (shown * 255).round().clamp(0, 255).byte().numpy()
        near = binary_dilation(texture[..., 3].numpy() > _SOME, iterations=margin)
        chosen = np.flatnonzero(near)
        self.chosen = chosen[:: max(1, len(chosen) // _PIXELS)]
        picked = torch.from_numpy(self.chosen)
        self.background = background.flatten(0, 1)[picked].T  # [3, P]
        self.start = torso.grid.flatten(0, 1)[picked]  # [P, 2]
        self.flow = torso.fine(torso.flow).flatten(2)[:, :, picked]  # [1 + M, 2, P] usual flow and its modes, in pixels

    @torch.no_grad()
    def read(self, picture: np.ndarray, labels: np.ndarray) -> Tensor:
        """The code [K] of a frame without its head (a plate), uint8 [H, W, 3], by its labels [H, W].

        By its flow first, then by Gauss-Newton steps over all numbers at once, where the frame shows no head.
        """
        torso, top = self.torso, self.torso.place[0]
        beside, body = beside_head(labels, MIXED)[top:], (labels >= NECK)[top:]
        code = torch.zeros(torso.numbers)
        if not (beside & body).any():
            return code
        picture = np.ascontiguousarray(picture[top:])
        grid = (torso.flow.shape[-2], torso.flow.shape[-1])
        flow = coarse_flow(picture, self.reference, beside & body, grid) - torso.flow[0].numpy()
        # Not torch's own choice, gelsy, which pivots by what memory held before.
        modes, flow = torso.flow[1:].flatten(1).T, torch.from_numpy(flow).flatten()[:, None]
        moves = torch.linalg.lstsq(modes, flow, driver="gelsd").solution
        code[: torso.moves] = moves[:, 0].clamp(-_FARTHEST, _FARTHEST)
        counts = torch.from_numpy(beside.ravel()[self.chosen])
        truth = torch.from_numpy(picture.reshape(-1, 3)[self.chosen]).float().T[:, counts] / 255
        for _ in range(_STEPS):
            code = (code + self._step(code, truth, counts)).clamp(-_FARTHEST, _FARTHEST)
        return code

    def _step(self, code: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
        """What Gauss-Newton changes in a code [K] to come nearer to the truth [3, Q] in those pixels that count [P]."""
        torso, flow, behind = self.torso, self.flow[:, :, counts], self.background[:, counts]
        moved = flow[0] + (code[: torso.moves] @ flow[1:].flatten(1)).view(2, -1)
        places = self.start[counts] + (moved * torso.unit[:, 0]).T
        texture = torso.textures(code[None])[0]
        slopes = F.pad(texture.diff(dim=2), (0, 1)), F.pad(texture.diff(dim=1), (0, 0, 0, 1))
        found = _sampled(torch.cat([texture, *slopes]), places)
        shown, across, down = (part[:3] - part[3:] * behind for part in found.split(4))
        shaded = _sampled(torso.floats[1].flatten(0, 1), places).unflatten(0, (-1, 3))
        jacobian = torch.cat([flow[1:, :1] * across + flow[1:, 1:] * down, shaded]).flatten(1)
        cost = _NOISE**2 * torch.eye(len(jacobian))
        off = (truth - behind - shown).flatten()
        return torch.linalg.solve(jacobian @ jacobian.T + cost, jacobian @ off - cost @ code)


def _sampled(layers: Tensor, places: Tensor) -> Tensor:
    """Layers [C, h, w] at places [P, 2], [C, P]."""
    found = F.grid_sample(layers[None], places[None, None], align_corners=True, padding_mode="border")
    return found[0, :, 0]


def beside_head(labels: np.ndarray, margin: float) -> np.ndarray:
    """Where labels [H, W] are not the head's nor next to it, bool; `margin` as a share of the picture's side."""
    return np.logical_not(binary_dilation(labels == HEAD, iterations=max(1, round(margin * labels.shape[1]))))


def coarse_flow(picture: np.ndarray, reference: np.ndarray, where: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Where in the reference the pixels of a picture are found, both uint8 [H, W, 3]: pixels across and down, float32
    [2, *grid].

    Dense inverse search (Kroeger et al. 2016), averaged over what counts [H, W] and drawn on from there.
    """
    height, width = picture.shape[:2]
    share = min(_FLOW_SIDE / width, 1.0)
    size = (round(width * share), max(round(height * share), 16))
    grey = [_smaller(cv2.cvtColor(np.ascontiguousarray(p), cv2.COLOR_RGB2GRAY), size) for p in (picture, reference)]
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = dense.calc(*grey, None)  # pyright: ignore[reportCallIssue, reportArgumentType] (none to start from)
    weight = _smaller(where.astype(np.float32), size)[..., None]
    weighted = np.concatenate([flow * weight, weight], axis=-1)
    near, wide = (
        cv2.GaussianBlur(weighted, (0, 0), reach * size[0], borderType=cv2.BORDER_CONSTANT) for reach in (_NEAR, _WIDE)
    )
    total = near + _WIDE_SHARE * wide
    smooth = total[..., :2] / (total[..., 2:] + 1e-6) * np.array([width / size[0], height / size[1]], np.float32)
    return np.ascontiguousarray(np.moveaxis(_smaller(smooth, (grid[1], grid[0])), -1, 0))


def _smaller(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
