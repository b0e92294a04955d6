"""How close the held-out pictures come to the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation import stability
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.pixels import psnr, ssim
from gaussiantalker.evaluation.record import Better, Measured, not_measured
from gaussiantalker.perception import Lpips
from gaussiantalker.progress import Progress

HEAD_REGION = "head (face parser's mask of the true frame)"
OWN_WHOLE = "whole frame (torso and background are the avatar's too)"
TRUE_WHOLE = "whole frame (background, torso and neck are the true video's own pixels)"
FACE_BOX = "box around the head's mask, a sixteenth of the picture wider on each side"
Box = tuple[slice, slice]  # rows and columns
LANDMARK_BOX = "box around the true frame's 478 landmarks"
FLOW_PAIRS = 50
_MARGIN = 1 / 16  # of the picture's side, around the head's box


@dataclass(frozen=True)
class LpipsKind:
    label: str
    net: str
    whole: bool = False
    most: int = 100_000
    """Frames that are looked at: the larger network takes long."""


LPIPS_KINDS = {
    "lpips_alex": LpipsKind("LPIPS (alex), face", "alex"),
    "lpips_whole": LpipsKind("LPIPS (alex), whole frame", "alex", whole=True),
    "lpips_vgg": LpipsKind("LPIPS (vgg), face", "vgg", most=12),
}


def picture_scores(held: HeldOut, progress: Progress) -> tuple[dict[str, Measured], dict[str, np.ndarray]]:
    """The scores, and those that exist for each frame as [n] (NaN where a frame has no head)."""
    scores, per_frame = pixel_scores(held, progress)
    return scores | lpips_scores(held, tuple(LPIPS_KINDS), progress) | stability_scores(held, progress), per_frame


def pixel_scores(held: HeldOut, progress: Progress) -> tuple[dict[str, Measured], dict[str, np.ndarray]]:
    """PSNR and SSIM of head, landmark box and whole frame, their means and [n]."""
    per_frame = _per_frame(held, progress)
    regions = {"head": HEAD_REGION, "face_box": LANDMARK_BOX, "whole": _whole(held)}
    names = {"head": "head", "face_box": "landmark box", "whole": "whole frame"}
    scores = {}
    for kind, unit in (("psnr", "dB"), ("ssim", "")):
        for key, region in regions.items():
            label, values = f"{kind.upper()}, {names[key]}", per_frame[f"{kind}_{key}"]
            scores[f"{kind}_{key}"] = _mean(label, values, unit, "higher", region)
    return scores, per_frame


def _per_frame(held: HeldOut, progress: Progress) -> dict[str, np.ndarray]:
    rows = []
    progress.stage("comparing pictures", len(held))
    for k, (truth, render, labels) in enumerate(zip(held.truth, held.renders, held.labels, strict=True)):
        masks = {"head": labels == stability.HEAD, "face_box": landmark_box(held.truth_track.points[k], labels.shape)}
        alike = ssim(truth, render, masks | {"whole": None})
        near = {name: psnr(truth, render, mask) for name, mask in masks.items()} | {"whole": psnr(truth, render)}
        rows.append({f"psnr_{name}": near[name] for name in near} | {f"ssim_{name}": alike[name] for name in alike})
        progress.update(k + 1)
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def landmark_box(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:  # bool [H, W]
    """The pixels of a picture of this shape in the box around landmarks [478, 2] px; none where there is no face."""
    mask = np.zeros(shape, bool)
    if np.isfinite(points).all():
        left, top = np.maximum(np.floor(points.min(axis=0)).astype(int), 0)
        right, bottom = np.ceil(points.max(axis=0)).astype(int)
        mask[top:bottom, left:right] = True
    return mask


def lpips_scores(held: HeldOut, keys: Sequence[str], progress: Progress) -> dict[str, Measured]:
    """LPIPS under these keys of `LPIPS_KINDS`."""
    try:
        nets = {net: Lpips(net, progress) for net in {LPIPS_KINDS[key].net for key in keys}}
    except GaussianTalkerError as error:
        return {key: not_measured(LPIPS_KINDS[key].label, str(error), better="lower") for key in keys}
    scores = {}
    for key in keys:
        kind = LPIPS_KINDS[key]
        chosen = spread(len(held), min(kind.most, len(held)))
        progress.stage(kind.label, len(chosen))
        values = []
        for done, k in enumerate(chosen):
            box = (slice(None), slice(None)) if kind.whole else head_box(held.labels[k])
            if box is not None:
                values.append(nets[kind.net].distance(held.truth[k][box], held.renders[k][box]))
            progress.update(done + 1)
        region = _whole(held) if kind.whole else FACE_BOX
        scores[key] = _mean(kind.label, np.array(values), "", "lower", region, f"LPIPS 0.1, {kind.net}")
    return scores


def stability_scores(held: HeldOut, progress: Progress) -> dict[str, Measured]:
    """Flicker of the head and the seam below it."""
    pairs = spread(len(held) - 1, FLOW_PAIRS)
    progress.stage("flicker and seam", len(pairs))
    flickers, seams = [], []
    for done, k in enumerate(pairs):
        (before, after), head = held.truth[k : k + 2], held.labels[k + 1] == stability.HEAD
        motion = stability.flow(before, after)
        flickers.append(
            [stability.flicker(*held_pair, motion, head) for held_pair in ((before, after), held.renders[k : k + 2])]
        )
        seams.append([stability.seam(picture, held.labels[k]) for picture in (before, held.renders[k])])
        progress.update(done + 1)
    truth, render = np.array(flickers).T
    model = "optical flow of the true video (iterated Lucas-Kanade)"
    ratio = np.array(seams)[:, 1] / np.array(seams)[:, 0]
    region = "band where head meets neck or torso"
    note = f"the true video's own is {np.nanmean(truth):.2f}" if np.isfinite(truth).any() else ""
    return {
        "flicker": _mean("Temporal flicker", render, "grey levels of 255", "lower", HEAD_REGION, model, note),
        "seam": _mean(
            "Seam at the neck", ratio, "of the truth's gradient", "", region, note="1 is as smooth as the truth"
        ),
    }


def head_box(labels: np.ndarray) -> Box | None:
    """Rows and columns around the head in labels [H, W], with some margin; None where there is no head."""
    rows, columns = (np.flatnonzero((labels == stability.HEAD).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    margin = round(_MARGIN * labels.shape[0])
    return tuple(slice(max(0, part[0] - margin), part[-1] + 1 + margin) for part in (rows, columns))


def spread(n: int, count: int) -> np.ndarray:
    """At most `count` numbers spread evenly over 0 .. n-1."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(int))


def _whole(held: HeldOut) -> str:
    return OWN_WHOLE if held.own_torso else TRUE_WHOLE


def _mean(
    label: str, values: np.ndarray, unit: str, better: Better, region: str, model: str = "", note: str = ""
) -> Measured:
    known = values[np.isfinite(values)]
    if not len(known):
        return not_measured(label, f"no frame has this region: {region}", unit, better)
    return Measured(label, float(known.mean()), unit, better, region, model, len(known), note)
