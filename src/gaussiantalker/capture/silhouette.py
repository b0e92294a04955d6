"""Roughly where a person is in a picture of any shape, so that the scene can be looked at without them."""

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from gaussiantalker.capture.framing import FaceBox, square
from gaussiantalker.capture.segmentation import BACKGROUND, Parser, clean
from gaussiantalker.hardware import one_torch_thread

_SIDE = 512  # pixels in which the parser looks at head and shoulders
_MARGIN = 0.06  # added all around, in face heights
_BESIDE = 0.3  # added to either side of what goes on below the square


def silhouette(picture: np.ndarray, points: np.ndarray, parser: Parser) -> np.ndarray:  # [H, W] bool
    """The person with face landmarks [478, 2] in uint8 [H, W, 3], with a margin.

    The parser sees head and shoulders; what leaves them downwards and sideways is taken to go on to the edge.
    """
    height, width = picture.shape[:2]
    face = FaceBox(0, points)
    crop = square([face], width, height)
    part = np.ascontiguousarray(cv2.resize(crop.of(picture), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    with torch.inference_mode(), one_torch_thread():
        scores = parser.scores(part)[None].float()
        fine = F.interpolate(scores, (_SIDE, _SIDE), mode="bilinear", align_corners=parser.corners or None)[0]
    inner = (clean(fine.numpy()) != BACKGROUND).astype(np.uint8)
    out = np.zeros((height, width), np.uint8)
    bottom, right = crop.top + crop.side, crop.left + crop.side
    out[crop.top : bottom, crop.left : right] = cv2.resize(inner, (crop.side,) * 2, interpolation=cv2.INTER_NEAREST)
    for edge, beyond in ((crop.left, slice(0, crop.left)), (right - 1, slice(right, width))):
        rows = np.flatnonzero(out[:, edge])
        if rows.size:
            out[rows[0] :, beyond] = 1
    columns = np.flatnonzero(out[bottom - 1])
    if columns.size:
        beside = round(_BESIDE * face.height)
        out[bottom:, max(columns[0] - beside, 0) : columns[-1] + beside] = 1
    margin = 2 * max(round(_MARGIN * face.height), 1) + 1
    return cv2.dilate(out, np.ones((margin, margin), np.uint8)) > 0
