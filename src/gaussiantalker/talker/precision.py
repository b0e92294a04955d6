"""How exactly matrices are multiplied while a talker works."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def fast_products() -> Iterator[None]:
    """Lets torch take its faster matrix products, and puts the user's own setting back afterwards.

    On CPUs this chooses oneDNN: with AVX-512 it halves the network's time at full single precision, and processors
    with matrix tiles may round factors to bfloat16. It is a process-wide setting of torch, hence the care.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
