"""Keeping freed memory for the next tensor."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt(3)


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
