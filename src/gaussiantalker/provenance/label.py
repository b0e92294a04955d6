"""A label that anybody can read, in the corner of a picture."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_TEXT = "AI-generated"
HEIGHT_SHARE, LEAST_HEIGHT = 0.035, 9  # of the letters, in the picture's height; in pixels
_DARKENING = 0.55  # of what is behind the letters


def label(picture: np.ndarray) -> np.ndarray:
    """The picture uint8 [H, W, 3 or 4], labelled in its place: white letters on a dark field, below on the left."""
    height, width, channels = picture.shape
    letters = _letters(max(round(height * HEIGHT_SHARE), LEAST_HEIGHT))[:height, :width]
    corner = picture[height - len(letters) :, : letters.shape[1]]
    if channels == 4:
        corner[..., 3] = np.maximum(corner[..., 3], np.maximum(letters, np.uint8(255 * _DARKENING)))
    corner[..., :3] = np.maximum(corner[..., :3] * np.float32(1 - _DARKENING), letters[..., None])
    return picture


@cache
def _letters(size: int) -> np.ndarray:
    """The text uint8 [h, w], white on black with a margin."""
    font, margin = ImageFont.load_default(size), size // 2
    left, top, right, bottom = map(round, font.getbbox(_TEXT))
    picture = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin))
    ImageDraw.Draw(picture).text((margin - left, margin - top), _TEXT, 255, font)
    return np.asarray(picture)
