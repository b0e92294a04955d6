"""How close the held-out pictures come to the truth."""

from collections.abc import Sequence

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation import stability
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.pixels import psnr, ssim
from gaussiantalker.evaluation.record import Better, Measured, not_measured
from gaussiantalker.perception import Lpips
from gaussiantalker.progress import Progress

HEAD_REGION = "head (face parser's mask of the true frame)"
WHOLE_REGION = "whole frame (background, torso and neck are the true video's own pixels)"
FACE_BOX = "box around the head's mask, a sixteenth of the picture wider on each side"
Box = tuple[slice, slice]  # rows and columns
FLOW_PAIRS = 50
VGG_FRAMES = 12
_MARGIN = 1 / 16  # of the picture's side, around the head's box


def picture_scores(held: HeldOut, progress: Progress) -> tuple[dict[str, Measured], dict[str, np.ndarray]]:
    """The scores, and those that exist for each frame as [n] (NaN where a frame has no head)."""
    scores, per_frame = pixel_scores(held, progress)
    return scores | lpips_scores(held, ("alex", "vgg"), progress) | stability_scores(held, progress), per_frame


def pixel_scores(held: HeldOut, progress: Progress) -> tuple[dict[str, Measured], dict[str, np.ndarray]]:
    """PSNR and SSIM of head and whole frame, their means and [n]."""
    per_frame = _per_frame(held, progress)
    scores = {
        "psnr_head": _mean("PSNR, head", per_frame["psnr_head"], "dB", "higher", HEAD_REGION),
        "psnr_whole": _mean("PSNR, whole frame", per_frame["psnr_whole"], "dB", "higher", WHOLE_REGION),
        "ssim_head": _mean("SSIM, head", per_frame["ssim_head"], "", "higher", HEAD_REGION),
        "ssim_whole": _mean("SSIM, whole frame", per_frame["ssim_whole"], "", "higher", WHOLE_REGION),
    }
    return scores, per_frame


def _per_frame(held: HeldOut, progress: Progress) -> dict[str, np.ndarray]:
    rows = []
    progress.stage("comparing pictures", len(held))
    for k, (truth, render, labels) in enumerate(zip(held.truth, held.renders, held.labels, strict=True)):
        head = labels == stability.HEAD
        alike = ssim(truth, render, {"head": head, "whole": None})
        rows.append((psnr(truth, render, head), psnr(truth, render), alike["head"], alike["whole"]))
        progress.update(k + 1)
    return dict(zip(("psnr_head", "psnr_whole", "ssim_head", "ssim_whole"), np.array(rows).T, strict=True))


def lpips_scores(held: HeldOut, names: Sequence[str], progress: Progress) -> dict[str, Measured]:
    """LPIPS by these networks: "alex" on all frames, "vgg", which costs more, on a dozen."""
    labels = {net: f"LPIPS ({net}), face" for net in names}
    try:
        nets = {net: Lpips(net, progress) for net in labels}
    except GaussianTalkerError as error:
        return {f"lpips_{net}": not_measured(label, str(error), better="lower") for net, label in labels.items()}
    scores = {}
    for net in names:
        chosen = spread(len(held), VGG_FRAMES if net == "vgg" else len(held))
        progress.stage(f"LPIPS {net}", len(chosen))
        values = []
        for done, k in enumerate(chosen):
            box = head_box(held.labels[k])
            if box is not None:
                values.append(nets[net].distance(held.truth[k][box], held.renders[k][box]))
            progress.update(done + 1)
        scores[f"lpips_{net}"] = _mean(labels[net], np.array(values), "", "lower", FACE_BOX, f"LPIPS 0.1, {net}")
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


def _mean(
    label: str, values: np.ndarray, unit: str, better: Better, region: str, model: str = "", note: str = ""
) -> Measured:
    known = values[np.isfinite(values)]
    if not len(known):
        return not_measured(label, f"no frame has this region: {region}", unit, better)
    return Measured(label, float(known.mean()), unit, better, region, model, len(known), note)
