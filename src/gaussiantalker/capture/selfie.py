"""The selfie segmenter: MediaPipe's multi-class network, which its authors license for any use (Apache-2.0).

Classes and input as https://ai.google.dev/edge/mediapipe/solutions/vision/image_segmenter tells them.
"""

import threading
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gaussiantalker.capture.labels import BACKGROUND, NECK, TORSO
from gaussiantalker.capture.litert import Network
from gaussiantalker.media.image import resize

_INPUT = 256
# Its classes: 0 background, 1 hair, 2 skin of the body, 3 skin of the face, 4 clothes, 5 what is worn or held.
_MEMBERS = ([0], [1, 3], [2], [4, 5])


class SelfieParser:
    """Looks at 256 pixels and answers at as many, so borders are finer than BiSeNet's; dark clothes it may miss."""

    corners = False

    def __init__(self, path: Path) -> None:
        self._model, self._own = path.read_bytes(), threading.local()

    @torch.inference_mode()
    def scores(self, picture: np.ndarray) -> Tensor:
        """Log scores [4, 256, 256] of background, head, neck and torso in uint8 [H, W, 3]."""
        if not hasattr(self._own, "network"):  # one per thread: the runtime's memory holds one picture
            self._own.network = Network(self._model, threads=1)
        x = resize(picture, (_INPUT, _INPUT)).astype(np.float32)[None] / 255
        (logits,) = self._own.network(x).values()
        scores = torch.from_numpy(logits[0]).permute(2, 0, 1).log_softmax(0)
        return _clothed(torch.stack([scores[members].logsumexp(0) for members in _MEMBERS]))


def _clothed(scores: Tensor) -> Tensor:
    """Scores [4, h, w] in which nothing below neck or clothes is background: what is dark there is still a garment."""
    best = scores.argmax(0)
    below = (best >= NECK).int().cummax(0).values.bool() & (best == BACKGROUND)
    out = scores.clone()
    out[BACKGROUND] = torch.where(below, scores[TORSO], scores[BACKGROUND])
    out[TORSO] = torch.where(below, scores[BACKGROUND], scores[TORSO])
    return out
