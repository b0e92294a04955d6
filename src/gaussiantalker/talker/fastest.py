"""Which way of computing a network of all Gaussians is the fastest on this machine: found by measuring, once.

Processors differ more than their names tell. With bfloat16 products (AVX512 BF16) our kernels run at twice the speed on
some and slower than in single precision on others, whose matrix tiles only torch's own products use. So each way is
timed for some milliseconds, and what was found is kept beside the compiled kernels.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from gaussiantalker import hardware
from gaussiantalker.kernels.products import HAS_BFLOAT
from gaussiantalker.kernels.threads import kernel_folder
from gaussiantalker.talker import perceptron_kernel, regressors
from gaussiantalker.talker.precision import fast_products

_Way = Literal["bfloat16", "kernels", "torch"]
_Work = Literal["speaking", "training"]
BFLOAT16: _Way = "bfloat16"
KERNELS: _Way = "kernels"
TORCH: _Way = "torch"
SAID = {BFLOAT16: "our kernels in bfloat16", KERNELS: "our kernels", TORCH: "torch's products"}
GAUSSIANS, WIDTH, HIDDEN, OUTPUTS = 4096, 64, 128, (3, 3, 4, 1, 27)
_LAPS = 7


class _Found(NamedTuple):
    """Billions of operations a second of each way, by what is done."""

    speeds: dict[_Work, dict[_Way, float]]

    def best(self, work: _Work) -> _Way:
        speeds = self.speeds[work]
        return max(speeds, key=speeds.__getitem__)


@cache
def found() -> _Found:
    """What was measured on this processor, now or earlier."""
    file = kernel_folder(Path(__file__)) / "speeds.json"
    machine = f"{hardware.processor()} {os.environ.get('NUMBA_CPU_NAME', '')}".strip()
    known = {}
    with suppress(OSError, ValueError):
        known = json.loads(file.read_text(encoding="utf-8"))
    if machine not in known:
        known[machine] = {"speaking": _speaking(), "training": _training()}
        with suppress(OSError):  # a place that cannot be written to: measured anew by the next process
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return _Found(known[machine])


def fastest() -> _Way:
    """The way for what is computed now. Exactly what is asked for outside `fast_products`: our kernels."""
    if torch.get_float32_matmul_precision() != "medium":
        return KERNELS
    return found().best("training" if torch.is_grad_enabled() else "speaking")


def _network() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    shapes = (GAUSSIANS, WIDTH), (HIDDEN * len(OUTPUTS), WIDTH), (HIDDEN * len(OUTPUTS),)
    x, first, bias = (torch.randn(shape, generator=generator) for shape in shapes)
    return (
        x,
        first,
        bias,
        [torch.randn(n, HIDDEN, generator=generator) for n in OUTPUTS],
        [torch.zeros(n) for n in OUTPUTS],
    )


def _speaking() -> dict[_Way, float]:
    network = _network()
    ways: dict[_Way, Callable[[], object]] = {
        KERNELS: lambda: perceptron_kernel.perceptrons(*network, bf16=False),
        TORCH: lambda: regressors.perceptrons_reference(*network),
    }
    if HAS_BFLOAT:
        ways[BFLOAT16] = lambda: perceptron_kernel.perceptrons(*network, bf16=True)
    with torch.inference_mode(), fast_products():
        return _speeds(ways, 1)


@torch.inference_mode(False)  # whoever asks may be in it
@torch.enable_grad()
def _training() -> dict[_Way, float]:
    x, first, *rest = _network()
    network = (x.requires_grad_(), first.requires_grad_(), *rest)

    def learn(run: Callable) -> None:
        torch.stack([part.sum() for part in run(*network)]).sum().backward()

    ways: dict[_Way, Callable[[], object]] = {
        KERNELS: lambda: learn(perceptron_kernel.perceptrons),
        TORCH: lambda: learn(regressors.perceptrons_reference),
    }
    with fast_products():
        return _speeds(ways, 3)


def _speeds(ways: dict[_Way, Callable[[], object]], passes: int) -> dict[_Way, float]:
    """The least processor time of each on one thread counts, measured in turns: what else the machine does only ever
    adds to it."""
    operations = 2 * GAUSSIANS * HIDDEN * (WIDTH * len(OUTPUTS) + sum(OUTPUTS)) * passes
    times: dict[_Way, float] = {way: float("inf") for way in ways}
    with hardware.one_torch_thread():
        for lap in range(1 + _LAPS):
            for way, run in ways.items():
                started = time.process_time()
                run()
                if lap:  # the first compiles
                    times[way] = min(times[way], time.process_time() - started)
    return {way: round(operations / seconds / 1e9, 1) for way, seconds in times.items()}
