"""Metrics of pictures: how close the held-out ones come to the truth, and how steady they are."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.ndimage import binary_dilation
from skimage.metrics import structural_similarity
from skimage.registration import optical_flow_ilk
from skimage.transform import warp

from gaussiantalker.capture.arrays import spread
from gaussiantalker.capture.labels import HEAD, NECK, TORSO
from gaussiantalker.evaluation.held_out import EVERY_FRAME, Rendering, network, shared
from gaussiantalker.evaluation.metric import Metric
from gaussiantalker.evaluation.record import NotMeasured, Score
from gaussiantalker.perception import Lpips

_HEAD_REGION = "head (face parser's mask of the true frame)"
_WHOLE = "whole frame"
_OWN_WHOLE = "torso and background are the avatar's too; what the body does is read from the true frame"
_TRUE_WHOLE = "background, torso and neck are the true video's own pixels"
_TORSO_BOX = "box around the masks of neck and torso"
FACE_BOX = "box around the head's mask, a sixteenth of the picture wider on each side"
_REGIONS = {
    "head": ("head", _HEAD_REGION),
    "torso": ("neck and torso", "neck and torso (face parser's mask of the true frame)"),
    "face_box": ("landmark box", "box around the true frame's 478 landmarks"),
    "whole": (_WHOLE, _WHOLE),
}
_FLOW_PAIRS = 50
_SMALLEST = 32  # pixels, of a box that LPIPS can look at
_VGG_FRAMES = 12  # the larger network takes long
_BODY = (NECK, TORSO)
_MARGIN = 1 / 16  # of the picture's side, around the head's box
_Box = tuple[slice, slice]  # rows and columns
# Identical pictures have no finite PSNR, which would make the mean over frames infinite; they count as this much.
PSNR_LIMIT = 100.0
_SSIM_BORDER = 5  # half of the 11-pixel window
_SEAM_WIDTH = 3 / 256  # of the picture's side, to either side of the seam


@shared
def likeness(rendering: Rendering) -> dict[str, np.ndarray]:
    """PSNR and SSIM of every frame [n] by region, as `psnr_head`; NaN where a frame lacks the region."""
    rows, truth = [], rendering.reference
    points = truth.track.points
    rendering.progress.stage("comparing pictures", len(rendering))
    for k, (true, render, labels) in enumerate(zip(truth.images, rendering.images, truth.labels, strict=True)):
        masks = {
            "head": labels == HEAD,
            "torso": body_mask(labels),
            "face_box": _landmark_box(points[k], labels.shape),
            "whole": None,
        }
        row = {f"psnr_{name}": psnr(true, render, mask) for name, mask in masks.items()}
        rows.append(row | {f"ssim_{name}": value for name, value in _ssim(true, render, masks).items()})
        rendering.progress.update(k + 1)
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@shared
def _steadiness(rendering: Rendering) -> np.ndarray:
    """Of up to 50 pairs of frames [P, 4]: the true video's flicker and the render's, the seam of both."""
    pairs, truth, rows = spread(len(rendering) - 1, _FLOW_PAIRS), rendering.reference, []
    rendering.progress.stage("flicker and seam", len(pairs))
    for done, k in enumerate(pairs):
        both = truth.images[k : k + 2], rendering.images[k : k + 2]
        head = truth.labels[k + 1] == HEAD
        flickers = [flicker(before, after, _flow(before, after), head) for before, after in both]
        rows.append([*flickers, *(seam(pictures[0], truth.labels[k]) for pictures in both)])
        rendering.progress.update(done + 1)
    return np.array(rows)


def _mean(values: np.ndarray, note: str = "") -> Score:
    """Of those that are known."""
    known = values[np.isfinite(values)]
    if not len(known):
        raise NotMeasured("no frame has this region")
    return Score(float(known.mean()), len(known), note)


def _likeness(rendering: Rendering, key: str) -> Score:
    return _mean(likeness(rendering)[key], _behind(rendering) if key.endswith(("whole", "torso")) else "")


def _lpips(rendering: Rendering, net: str, region: str, most: int = EVERY_FRAME) -> Score:
    lpips, truth, values = network(rendering.reference, Lpips, net), rendering.reference, []
    chosen = spread(len(rendering), most)
    rendering.progress.stage(f"LPIPS ({net}), {region}", len(chosen))
    for done, k in enumerate(chosen):
        box = _BOXES[region](truth.labels[k])
        if box is not None:
            values.append(lpips.distance(truth.images[k][box], rendering.images[k][box]))
        rendering.progress.update(done + 1)
    return _mean(np.array(values), "" if region == "head" else _behind(rendering))


def _flicker(rendering: Rendering) -> Score:
    truth, render, _, _ = _steadiness(rendering).T
    return _mean(render, f"the true video's own is {np.nanmean(truth):.2f}" if np.isfinite(truth).any() else "")


def _seam(rendering: Rendering) -> Score:
    _, _, truth, render = _steadiness(rendering).T
    return _mean(render / truth, "1 is as smooth as the truth")


def _behind(rendering: Rendering) -> str:
    return _TRUE_WHOLE if rendering.avatar.torso is None else _OWN_WHOLE


def _landmark_box(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:  # bool [H, W]
    """The pixels of a picture of this shape in the box around landmarks [478, 2] px; none where there is no face."""
    mask = np.zeros(shape, bool)
    if np.isfinite(points).all():
        left, top = np.maximum(np.floor(points.min(axis=0)).astype(int), 0)
        right, bottom = np.ceil(points.max(axis=0)).astype(int)
        mask[top:bottom, left:right] = True
    return mask


def head_box(labels: np.ndarray) -> _Box | None:
    """Rows and columns around the head in labels [H, W], with some margin; None where there is no head."""
    return _box(labels == HEAD, round(_MARGIN * labels.shape[0]))


def body_mask(labels: np.ndarray) -> np.ndarray:  # bool [H, W]
    """Where labels [H, W] are neck or torso."""
    return np.isin(labels, _BODY)


def body_box(labels: np.ndarray) -> _Box | None:
    """Rows and columns around neck and torso in labels [H, W]; None where they are hardly there."""
    return _box(body_mask(labels))


def _box(mask: np.ndarray, margin: int = 0) -> _Box | None:
    """Rows and columns around a mask [H, W]; None where it is smaller than networks can look at."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    tall, wide = (slice(max(0, part[0] - margin), part[-1] + 1 + margin) for part in (rows, columns))
    return (tall, wide) if min(mask[tall, wide].shape) >= _SMALLEST else None


_BOXES: dict[str, Callable[[np.ndarray], _Box | None]] = {
    "head": head_box,
    "torso": body_box,
    "whole": lambda labels: (slice(None), slice(None)),
}


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """-10 log10 of the mean squared error of uint8 pictures [H, W, 3] scaled to [0, 1], in dB.

    With a mask bool [H, W], the mean is over the masked pixels alone. At most 100 dB; NaN for an empty mask.
    """
    error = np.square((a.astype(np.float32) - b.astype(np.float32)) / 255)
    values = error if mask is None else error[mask]
    if not values.size:
        return float("nan")
    return float(-10 * np.log10(max(values.mean(dtype=np.float64), 10 ** (-PSNR_LIMIT / 10))))


def _ssim(a: np.ndarray, b: np.ndarray, masks: dict[str, np.ndarray | None]) -> dict[str, float]:
    """Structural similarity (Wang et al. 2004) of uint8 pictures [H, W, 3], averaged over each of several masks.

    Window 11 x 11, Gaussian of sigma 1.5, C1 = .01^2, C2 = .03^2, mean over the three channels. A border of 5 pixels,
    where the window is not whole, never counts. The mask None is the whole frame; NaN for an empty mask.
    """
    similarity = structural_similarity(
        a.astype(np.float32) / 255,
        b.astype(np.float32) / 255,
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1]
    inside = np.s_[_SSIM_BORDER:-_SSIM_BORDER, _SSIM_BORDER:-_SSIM_BORDER]
    per_pixel = similarity.mean(axis=2)[inside]
    values = {name: per_pixel if mask is None else per_pixel[mask[inside]] for name, mask in masks.items()}
    return {name: float(value.mean(dtype=np.float64)) if value.size else float("nan") for name, value in values.items()}


def _flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:  # [2, H, W], rows then columns
    """Where each pixel of `after` was in `before`, from iterated Lucas-Kanade on their luma."""
    return optical_flow_ilk(_luma(after), _luma(before), radius=7, num_warp=3, dtype=np.float32)


def flicker(before: np.ndarray, after: np.ndarray, motion: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute difference, in grey levels of 255, between a picture and its forerunner carried along by `motion`.

    What remains is change that is not movement, where the motion is the pictures' own: carried along by another film's,
    lips that open a little later than its lips would count as flicker. NaN for an empty mask bool [H, W].
    """
    rows, columns = np.meshgrid(*(np.arange(n) for n in mask.shape), indexing="ij")
    carried = warp(_luma(before), np.array([rows + motion[0], columns + motion[1]]), mode="edge")
    change = np.abs(carried - _luma(after))[mask]
    return float(change.mean() * 255) if change.size else float("nan")


def seam(picture: np.ndarray, labels: np.ndarray) -> float:
    """Mean luma gradient, in grey levels per pixel, in the band where head and neck (or torso) meet.

    An avatar's own value over the true picture's tells whether the seam shows: 1 is as smooth as the truth.
    """
    width = max(1, round(_SEAM_WIDTH * labels.shape[0]))
    head, below = labels == HEAD, (labels == NECK) | (labels == TORSO)
    band = np.logical_and(*(binary_dilation(part, iterations=width) for part in (head, below)))
    gradient = np.hypot(*np.gradient(_luma(picture) * 255))[band]
    return float(gradient.mean()) if gradient.size else float("nan")


def _luma(picture: np.ndarray) -> np.ndarray:  # float32 [H, W] in [0, 1]
    """Rec. 709 luma of a uint8 picture [H, W, 3]."""
    return (picture.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)) / 255


METRICS = (
    *(
        Metric(
            f"{kind}_{key}", f"{kind.upper()}, {name}", partial(_likeness, key=f"{kind}_{key}"), unit, "higher", region
        )
        for kind, unit in (("psnr", "dB"), ("ssim", ""))
        for key, (name, region) in _REGIONS.items()
    ),
    *(
        Metric(key, label, partial(_lpips, **how), "", "lower", region, f"LPIPS 0.1, {how['net']}")
        for key, label, region, how in (
            ("lpips_alex", "LPIPS (alex), face", FACE_BOX, {"net": "alex", "region": "head"}),
            ("lpips_torso", "LPIPS (alex), neck and torso", _TORSO_BOX, {"net": "alex", "region": "torso"}),
            ("lpips_whole", "LPIPS (alex), whole frame", _WHOLE, {"net": "alex", "region": "whole"}),
            ("lpips_vgg", "LPIPS (vgg), face", FACE_BOX, {"net": "vgg", "region": "head", "most": _VGG_FRAMES}),
        )
    ),
    Metric(
        "flicker",
        "Temporal flicker",
        _flicker,
        "grey levels of 255",
        "lower",
        _HEAD_REGION,
        "optical flow of each film itself (iterated Lucas-Kanade)",
    ),
    Metric("seam", "Seam at the neck", _seam, "of the truth's gradient", "", "band where head meets neck or torso"),
)
