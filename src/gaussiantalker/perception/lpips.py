"""Perceptual distance by the features of networks trained to name things (LPIPS; Zhang et al. 2018, version 0.1)."""

import pickle
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker import pretrained
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress

# Convolutions by their number, "pool" between them; a convolution's (stride, padding) where it is not (1, same).
_LAYERS = {
    "alex": (0, "pool", 1, "pool", 2, 3, 4),
    "vgg": (0, 1, "pool", 2, 3, "pool", 4, 5, 6, "pool", 7, 8, 9, "pool", 10, 11, 12),
}
_COMPARED = {"alex": (0, 1, 2, 3, 4), "vgg": (1, 3, 6, 9, 12)}
_POOL = {"alex": 3, "vgg": 2}
_FIRST = {"alex": (4, 2), "vgg": (1, 1)}
_MODULE = {"alex": "AlexNet_0", "vgg": "VGG16_0"}
_EPSILON = 1e-10
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class Lpips:
    """One of the two published metrics: "alex" (the one papers report) or "vgg"."""

    def __init__(self, net: str = "alex", progress: Progress = SILENT, device: torch.device | str = "cpu") -> None:
        """Compares pictures that are on `device`. Raises GaussianTalkerError when the weights cannot be had."""
        arrays = _read_arrays(pretrained.path(f"lpips-{net}", progress))
        self.net = net
        convolutions = arrays[_MODULE[net]]
        layers = [convolutions[f"Conv_{i}"] for i in range(len(convolutions))]
        self._kernels = [_torch(layer["kernel"]).to(device) for layer in layers]
        self._biases = [torch.from_numpy(layer["bias"]).to(device) for layer in layers]
        self._heads = [_torch(arrays[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]).to(device) for i in range(5)]
        # The networks' usual normalisation, restated for pictures in [-1, 1].
        self._shift = torch.tensor([-0.030, -0.088, -0.188], device=device)[:, None, None]
        self._scale = torch.tensor([0.458, 0.448, 0.450], device=device)[:, None, None]

    @torch.inference_mode()
    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        """Between uint8 pictures [H, W, 3] of one size, at least 32 pixels wide and high; 0 for identical ones."""
        pictures = (torch.from_numpy(np.array(picture))[None].to(self._shift.device) for picture in (a, b))
        return float(self.loss(*(picture.float() / 255 for picture in pictures)))

    def loss(self, a: Tensor, b: Tensor) -> Tensor:
        """The mean distance of pictures [B, H, W, 3] in [0, 1], with gradients."""
        total = a.new_zeros(())
        for features, head in zip(self._features(self._normalised(a, b)), self._heads, strict=True):
            unit = features / (features.square().sum(dim=1, keepdim=True) + _EPSILON).sqrt()
            total = total + F.conv2d((unit[: len(a)] - unit[len(a) :]).square(), head).mean()
        return total

    def feature_loss(self, a: Tensor, b: Tensor) -> Tensor:
        """Mean absolute difference of the first four compared layers, summed, for pictures [B, H, W, 3] in [0, 1].

        With "vgg", what GaussianTalker's public code minimises in LPIPS's place.
        """
        layers = islice(self._features(self._normalised(a, b)), 4)
        return sum(((features[: len(a)] - features[len(a) :]).abs().mean() for features in layers), a.new_zeros(()))

    def _normalised(self, a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat([a, b]).movedim(-1, 1) * 2 - 1
        return (both - self._shift) / self._scale

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        for layer in _LAYERS[self.net]:
            if layer == "pool":
                x = F.max_pool2d(x, _POOL[self.net], stride=2)
                continue
            stride, padding = _FIRST[self.net] if layer == 0 else (1, self._kernels[layer].shape[-1] // 2)
            x = F.relu(F.conv2d(x, self._kernels[layer], self._biases[layer], stride, padding))
            if layer in _COMPARED[self.net]:
                yield x


def _torch(kernel: np.ndarray) -> Tensor:
    """A kernel stored [height, width, in, out] in torch's order [out, in, height, width]."""
    return torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ALLOWED[module, name]


def _read_arrays(path: Path) -> dict[str, Any]:
    """Nested dicts of numpy arrays. Raises GaussianTalkerError when the file holds anything else."""
    try:
        with open(path, "rb") as file:
            return _ArraysOnly(file).load()
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        raise GaussianTalkerError(f"{path} is not a file of arrays ({error}); remove it to fetch it again.") from None
