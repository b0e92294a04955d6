"""How exactly matrices are multiplied while a talker works."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class _Users:
    """Who works with fast products now. Torch's setting is the process's, while several threads may render at once."""

    def __init__(self) -> None:
        self.lock, self.count, self.before = threading.Lock(), 0, "highest"

    def enter(self) -> None:
        with self.lock:
            if not self.count:
                self.before = torch.get_float32_matmul_precision()
                torch.set_float32_matmul_precision("medium")
            self.count += 1

    def leave(self) -> None:
        with self.lock:
            self.count -= 1
            if not self.count:
                torch.set_float32_matmul_precision(self.before)


_users = _Users()


@contextmanager
def fast_products() -> Iterator[None]:
    """Lets torch take its faster matrix products; the last to leave puts the user's own setting back.

    On CPUs this chooses oneDNN: with AVX-512 it halves the network's time at full single precision, and processors
    with matrix tiles may round factors to bfloat16. Networks of all Gaussians go the way that is the fastest here, and
    may round them, too, where nothing is learnt (see `fastest`): sums stay in single precision, and pictures differ
    from exact ones by less than a shade (60 dB and more).
    """
    _users.enter()
    try:
        yield
    finally:
        _users.leave()
