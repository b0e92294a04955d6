"""Pictures on a GPU: what is launched for one is recorded once, as a CUDA graph, and replayed for every other.

A picture takes hundreds of small kernels, and launching them one by one takes longer than they do. A recording works on
tensors of its own, into which inputs are copied. Tile lists have as much room as the first picture wants and half as
much again; a picture that wants more is recorded anew.
"""

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map_only

from gaussiantalker.splatting.scene import Room

_Work = Callable[..., Tensor]  # inputs and a room to pictures on the device, without waiting for it
_Record = Callable[[Callable[[], None]], Callable[[], None]]

_MARGIN = 1.5
_REHEARSALS = 2


def on_a_graph(run: Callable[[], None]) -> Callable[[], None]:
    """Records what a function launches on the current device; the result launches it all again."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # libraries set themselves up when first used, which cannot be recorded
        for _ in range(_REHEARSALS):
            run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        run()
    return graph.replay


class _Recording:
    """Work on inputs of one shape."""

    def __init__(self, work: _Work, inputs: tuple, device: torch.device, record: _Record):
        self._work, self._device = work, device
        self._inputs = tree_map_only(Tensor, lambda part: part.to(device, copy=True), inputs)
        self._room = Room(1)
        self._run()  # tells how much room it wants
        self._room.capacity = int(_MARGIN * self._wanted.item())
        made = self._drawn, self._wanted
        pinned = device.type == "cuda"
        self._on_host = [torch.empty(part.shape, dtype=part.dtype, pin_memory=pinned) for part in made]
        try:
            self._replay = record(self._run)
        except RuntimeError as error:
            self._replay = self._run
            warnings.warn(f"Pictures are launched kernel by kernel, more slowly: {str(error)[:100]}", stacklevel=2)

    def pictures(self, inputs: tuple) -> np.ndarray | None:
        """The work's results; None where its room was too small."""
        for own, given in zip(_tensors(self._inputs), _tensors(inputs), strict=True):
            own.copy_(given)
        self._replay()
        for there, here in zip((self._drawn, self._wanted), self._on_host, strict=True):
            here.copy_(there, non_blocking=True)
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        drawn, wanted = self._on_host
        return drawn.numpy().copy() if wanted.item() <= self._room.capacity else None

    def _run(self) -> None:
        self._drawn = self._work(*self._inputs, self._room)
        none = torch.zeros((), dtype=torch.int64, device=self._device)
        self._wanted = none if self._room.wanted is None else self._room.wanted


class Recorder:
    """Recordings of work for every shape of inputs that it meets. Threads take turns."""

    def __init__(self, work: _Work, device: torch.device, record: _Record = on_a_graph):
        self._work, self._device, self._record = work, device, record
        self._recordings: dict[Any, _Recording] = {}
        self._turn = threading.Lock()

    def pictures(self, *inputs: Any) -> np.ndarray:
        """What the work makes of these inputs: tensors anywhere, in tuples and dicts of them."""
        leaves, form = tree_flatten(inputs)
        shape = str(form), tuple((part.shape, part.dtype) if isinstance(part, Tensor) else part for part in leaves)
        with self._turn:
            while True:
                if shape not in self._recordings:
                    self._recordings[shape] = _Recording(self._work, inputs, self._device, self._record)
                pictures = self._recordings[shape].pictures(inputs)
                if pictures is not None:
                    return pictures
                del self._recordings[shape]


def _tensors(inputs: Any) -> list[Tensor]:
    return [part for part in tree_flatten(inputs)[0] if isinstance(part, Tensor)]
