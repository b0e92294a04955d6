"""Distance between two crowds of pictures in the features of Inception-2015 (FID; Heusel et al. 2017)."""

import numpy as np
import torch
from torch.nn import functional as F

from gaussiantalker import pretrained
from gaussiantalker.progress import SILENT, Progress

FEATURES = 2048  # with fewer frames the covariances are rank-deficient and the value is biased upwards
_SIDE = 299


class Inception:
    """The network of the original implementation, as TorchScript, up to its last pooling."""

    def __init__(self, progress: Progress = SILENT) -> None:
        """Raises GaussianTalkerError when the network cannot be had."""
        self._network = torch.jit.load(pretrained.path("inception-2015", progress), map_location="cpu").eval()

    @torch.inference_mode()
    def features(self, picture: np.ndarray) -> np.ndarray:  # [2048]
        """Of a uint8 picture [H, W, 3], resized to 299 pixels without smoothing, as the original does."""
        x = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
        x = F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        return self._network((x - 128) / 128)[0].double().numpy()


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|m_a - m_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^1/2) of the normal distributions fitted to rows [n, D] and [m, D].

    With centred rows A and B over the roots of n-1 and m-1, the trace of the root is the sum of the singular values
    of A B^T: exact, and small where there are fewer rows than features.
    """
    centred = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    cross = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum(float(np.square(x).sum()) for x in centred)
    return max(0.0, float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + spread - 2 * cross))
