import numpy as np
import torch
from scipy.ndimage import binary_dilation

from gaussiantalker.talker.footage import _grown


def test_masks_grow_as_scipy_s_do() -> None:
    masks = np.random.default_rng(0).random((3, 30, 23)) > 0.97
    for pixels in (0, 1, 4):
        expected = [binary_dilation(mask, iterations=pixels) if pixels else mask for mask in masks]
        np.testing.assert_array_equal(_grown(torch.from_numpy(masks), pixels), expected)
