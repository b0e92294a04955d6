"""One writer in a folder at a time."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import make_folder, remove_partials

LOCK = ".lock"

if sys.platform == "win32":
    import msvcrt

    _BEHIND = 1 << 30  # a place that is never read: what is locked cannot be read on this system

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, _BEHIND, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(folder: str | Path, work: str) -> Iterator[Path]:
    """The folder, made where there is none, for the length of a block that does `work` in it, such as "capture".

    The system holds the lock, so that it ends with its process however that ends; what killed writers left half
    written is removed. Raises GaussianTalkerError when another process, or another block of this one, works there.
    """
    folder = make_folder(folder)
    descriptor = _acquire(folder / LOCK)
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"work": work, "process": os.getpid()}).encode())
        remove_partials(folder)
        yield folder
    finally:
        # Removed while it is held: whoever opened it meanwhile notices that its name is gone.
        with suppress(OSError):
            (folder / LOCK).unlink()
        os.close(descriptor)


def _acquire(path: Path) -> int:
    """A descriptor that holds the lock."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise GaussianTalkerError(
                f"{path.parent} cannot be written to ({error.strerror}); name another folder."
            ) from error
        try:
            _take(descriptor)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            raise GaussianTalkerError(
                f"{path.parent} is in use: {_holder(path)}; wait until it ends, or name another folder."
            ) from None
        except OSError:
            return descriptor  # a file system without locks: better to work than to refuse
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def _holder(path: Path) -> str:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return f"somebody works here ({told['work']}, process {told['process']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "somebody works here"
