"""Pictures as uint8 arrays [H, W, 3]."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path, existing_file


def read_image(path: str | Path) -> np.ndarray:  # [H, W, 3]
    """An RGB picture of any common format. Raises GaussianTalkerError when it is missing or is not a picture."""
    path = existing_file(path, "picture")
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise GaussianTalkerError(f"{path} is not a picture that can be read; use PNG or JPEG.") from None


def write_image(path: str | Path, image: np.ndarray, note: str = "") -> None:
    """Writes uint8 [H, W], [H, W, 3] or [H, W, 4] in the format of the path's ending (PNG keeps every bit).

    A `note` is kept within, as a PNG's text or a JPEG's comment.
    """
    text = PngInfo()
    if note:
        text.add_text("Comment", note)
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, quality=95, pnginfo=text, comment=note or None)


def data_uri(image: np.ndarray, quality: int = 92) -> str:
    """uint8 [H, W, 3] as a JPEG that is its own address, for pages that need no other file."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:  # [h, w(, C)]
    """uint8 [H, W] or [H, W, C] at `size` = (width, height): area averages downwards, Lanczos upwards."""
    if image.shape[1::-1] == tuple(size):
        return image
    smaller = size[0] <= image.shape[1] and size[1] <= image.shape[0]
    method = Image.Resampling.BOX if smaller else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, method))
