"""Walking over Gaussians sixteen at a time: attributes lie in rows, a vector takes one column of sixteen rows."""

import numpy as np
from numpy import float32 as f4

from gaussiantalker.kernels import simd
from gaussiantalker.kernels.threads import helper

CHUNK = 256  # Gaussians per work item; fixed, so that sums over items do not depend on the number of threads


@helper
def of_frame(rows, frame):
    """[N, C] of [F, N, C], or of [1, N, C] that all frames share."""
    return rows[frame if len(rows) > 1 else 0]


@helper
def padded(rows, g):
    """The rows from g to the end, the last one repeated to make sixteen: for the rest that fills no vector."""
    block = np.empty((simd.LANES, rows.shape[1]), f4)
    for i in range(simd.LANES):
        for k in range(rows.shape[1]):
            block[i, k] = rows[min(g + i, len(rows) - 1), k]
    return block


@helper
def zero_padded(rows, g):
    """The rows from g to the end and zeros: gradients of Gaussians that are not there."""
    block = np.zeros((simd.LANES, rows.shape[1]), f4)
    for i in range(len(rows) - g):
        for k in range(rows.shape[1]):
            block[i, k] = rows[g + i, k]
    return block


@helper
def put_back(rows, g, block):
    """The opposite of `padded`."""
    for i in range(len(rows) - g):
        for k in range(rows.shape[1]):
            rows[g + i, k] = block[i, k]
