"""The machine: what is told of it beside a number, which device computes, and keeping its memory."""

import ctypes
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gaussiantalker.errors import GaussianTalkerError

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt(3)


def cores() -> int:
    """Processor cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


WORKERS = min(cores(), 4)
"""Threads that work on pictures at a time: each holds some, so all cores of a large machine would need its memory."""


def processor() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    """Memory of the machine, where the system tells it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, OSError, ValueError):
        return None


def peak_memory_bytes() -> int | None:
    """The most memory this process has held so far, where the system tells it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def load() -> float | None:
    """How many programs wanted a core over the last minute, where the system tells it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _accelerator() -> str:
    """The graphics processor torch would use, or "none"."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"


def device(name: str = "auto") -> "torch.device":
    """Where to compute: "cpu", "cuda" (NVIDIA's GPUs and, under ROCm, AMD's), or whatever this machine is fastest on.

    Raises:
        GaussianTalkerError: there is no device of this name, or no usable one.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise GaussianTalkerError(
            f"There is no device {name!r}: choose auto, cpu, or cuda, which also stands for AMD's GPUs; "
            "GPUs of Apple and Intel are not supported yet."
        )
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise GaussianTalkerError(
            "torch finds no GPU here: install a driver and torch's build for CUDA or ROCm, or leave --device out."
        )
    ready = usable and importlib.util.find_spec("triton") is not None
    return torch.device("cuda" if name == "cuda" or (name == "auto" and ready) else "cpu")


@contextmanager
def one_torch_thread() -> Iterator[int]:
    """Lets torch work on one thread; what it had before is given, and comes back afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


def describe() -> dict[str, str | int | float | None]:
    """The machine, for a report."""
    import torch

    memory = _memory_gib()
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_gib": None if memory is None else round(memory, 1),
        "accelerator": _accelerator(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def keep_memory() -> None:
    """Tells glibc to reuse large blocks instead of returning them to the system; elsewhere it does nothing.

    Otherwise every tensor above 32 MB is mapped anew and faulted in page by page on each use, which was measured to
    cost up to eight times the arithmetic. The process then holds its peak memory until it ends, so the command
    line and the benchmarks do this, and a library call does not.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 1 << 30)
