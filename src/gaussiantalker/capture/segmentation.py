"""Head, neck, torso and background of every frame, steady in time.

The parser sees every third frame at 512 pixels. Its scores, a coarse and smooth field, are averaged over neighbouring
keyframes and interpolated for the frames between them, so that borders glide instead of flickering; islands too
small to be a part of the person go to the class that comes next.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.capture.arrays import ArrayReader, ArrayWriter
from gaussiantalker.capture.parallel import in_order
from gaussiantalker.capture.parser import BiSeNet
from gaussiantalker.progress import Progress

BACKGROUND, HEAD, NECK, TORSO = range(4)
STEP = 3
_INPUT = 512
# CelebAMask-HQ classes: 0 background, 1-13 face parts, 14 neck, 15 necklace, 16 cloth, 17 hair, 18 hat.
_MEMBERS = ([0], [*range(1, 14), 17, 18], [14, 15], [16])
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MIN_ISLAND = 0.004  # of the picture
_MIN_HOLE = 0.02  # of the picture; a gap in the person that opens to no side is more likely skin or cloth
_BLUR = (0.25, 0.5, 0.25)


def segment(frames: Path, target: Path, net: BiSeNet, progress: Progress) -> dict:
    """Writes labels [N, H, W] uint8 for frames.npy. Returns the mean share of each class."""
    pictures = ArrayReader(frames)
    count, size = pictures.shape[:2]
    progress.stage("head, neck and torso masks", count)
    shares = np.zeros(4)
    # Twice as fast where the processor has it, and 99.98 % of the labels are the same.
    net = net.to(torch.bfloat16) if _native_bfloat16() else net
    with ArrayWriter(target, (size, size)) as writer, torch.inference_mode():
        for scores in _in_between(_steadied(_key_scores(pictures, net)), count):
            fine = F.interpolate(scores, (size, size), mode="bilinear", align_corners=True).numpy()
            for frame_scores in fine:
                labels = clean(frame_scores)
                shares += np.bincount(labels.ravel(), minlength=4) / labels.size
                writer.append(labels[None])
            progress.update(writer.rows)
    names = ("background", "head", "neck", "torso")
    return {"mean_shares": dict(zip(names, (shares / count).round(4).tolist(), strict=True))}


def _native_bfloat16() -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def key_frames(count: int) -> list[int]:
    """The frames the parser sees: every third, and the last."""
    return sorted({*range(0, count, STEP), count - 1})


def _key_scores(pictures: ArrayReader, net: BiSeNet) -> Iterator[Tensor]:
    """Log scores [4, h, w] of the keyframes, in order.

    One frame per thread: threads that share a frame wait for each other at every layer, and on a busy machine take
    more than twice the time.
    """
    workers = torch.get_num_threads()
    try:
        keys = key_frames(len(pictures))
        yield from in_order(partial(_scores, net, pictures), keys, workers, partial(torch.set_num_threads, 1))
    finally:
        # Threads made later take the last number that any thread was given.
        torch.set_num_threads(workers)


@torch.inference_mode()
def _scores(net: BiSeNet, pictures: ArrayReader, k: int) -> Tensor:  # [4, h, w]
    mean, std = torch.tensor(_MEAN).view(3, 1, 1), torch.tensor(_STD).view(3, 1, 1)
    x = torch.from_numpy(pictures[k]).permute(2, 0, 1)[None].float() / 255
    x = F.interpolate(x, (_INPUT, _INPUT), mode="bilinear", antialias=True, align_corners=False)
    dtype = next(net.parameters()).dtype
    x = ((x - mean) / std).to(dtype).contiguous(memory_format=torch.channels_last)
    scores = net(x)[0].float().log_softmax(0)
    return torch.stack([scores[members].logsumexp(0) for members in _MEMBERS])


def _steadied(scores: Iterator[Tensor]) -> Iterator[Tensor]:
    """Each keyframe's scores averaged with those of the keyframes before and after it."""
    before = here = None
    for after in scores:
        if here is not None:
            yield _BLUR[0] * (here if before is None else before) + _BLUR[1] * here + _BLUR[2] * after
        before, here = here, after
    if here is not None:
        yield _BLUR[0] * (here if before is None else before) + (_BLUR[1] + _BLUR[2]) * here


def _in_between(keyed: Iterator[Tensor], count: int) -> Iterator[Tensor]:
    """Scores [n, 4, h, w] of all frames in order, from those of the keyframes."""
    keys = key_frames(count)
    last = next(keyed)
    yield last[None]
    for left, right, scores in zip(keys, keys[1:], keyed, strict=False):
        share = torch.arange(1, right - left + 1)[:, None, None, None] / (right - left)
        yield torch.lerp(last[None], scores[None], share)
        last = scores


def clean(scores: np.ndarray) -> np.ndarray:  # [H, W] uint8
    """Labels from scores [4, H, W], where islands, and all heads but the largest, take the next best class."""
    labels = scores.argmax(0).astype(np.uint8)
    for part in (HEAD, NECK, TORSO, BACKGROUND):
        islands, count = ndimage.label(labels == part)
        if count < 2:
            continue
        areas = np.bincount(islands.ravel(), minlength=count + 1)[1:] / labels.size
        small = areas < (areas.max() if part == HEAD else _MIN_ISLAND)
        if part == BACKGROUND:
            open_to_sides = np.unique(np.concatenate([islands[0], islands[:, 0], islands[:, -1]]))
            enclosed = ~np.isin(np.arange(1, count + 1), open_to_sides)
            small |= enclosed & (areas < _MIN_HOLE)
        if small.any():
            where = np.concatenate([[False], small])[islands]
            others = scores[:, where].copy()
            others[[part, HEAD]] = -np.inf
            labels[where] = others.argmax(0)
    return labels
