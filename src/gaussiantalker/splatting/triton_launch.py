"""How Triton's kernels are made and launched.

Sizes are no constants to them (`do_not_specialize`), or every other number of Gaussians would be compiled anew;
capacities are multiples of 128 and may be known as such.
"""

from collections.abc import Callable
from typing import Any

import torch
import triton

jit: Callable[..., Any] = triton.jit
"""Triton's. Here checkers of types stop: plain numbers are passed where parameters are `tl.constexpr`."""

_LANES = 64 if torch.version.hip else 32


def on_threads(count: int) -> dict[str, Any]:
    """Options of a launch whose programs have this many threads. Products and sums may fuse, which Triton 3.9 and
    later want to be told."""
    return {"num_warps": count // _LANES, "enable_fp_fusion": True}
