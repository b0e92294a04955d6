"""Files that are either whole or not there."""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.lib.format import read_array as read_one

from gaussiantalker.errors import Failure, GaussianTalkerError

_PARTIAL = re.compile(r"\..+\.\d+\.partial(\..*)?")
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def make_folder(path: str | Path) -> Path:
    """The folder, made where there is none. Raises GaussianTalkerError when there can be none."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GaussianTalkerError(f"{path} cannot be a folder ({error.strerror}): name another one.") from error
    return path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path`, given its real name on success and removed on failure.

    What was written is on the disk before it gets its name, so that not even a failing machine leaves half a file.
    The ending is kept, because writers choose a format by it. A folder may be written in place of a file; an old
    folder of that name is replaced. Raises Failure when the disk is full or must not be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        _remove_orphans(make_folder(path.parent), path.stem)
        yield temporary
        _sync_all(temporary)
        if path.is_dir() and temporary.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _sync(path.parent)
    except Exception as error:
        if is_full(error):
            raise Failure(f"The disk of {path.parent} is full: make room and run the same command again.") from error
        if isinstance(error, OSError) and error.errno in _REFUSED:
            raise Failure(f"{path} cannot be written ({error.strerror}): choose another folder.") from error
        raise
    finally:
        _remove(temporary)


def remove_partials(folder: Path) -> None:
    """Removes what `atomic_path` had begun in a folder when its process was killed. Nobody else may write there."""
    for left in folder.iterdir():
        if is_partial(left):
            _remove(left)


def _remove_orphans(folder: Path, stem: str) -> None:
    """Removes what processes that are no more had begun to write by this name, where the system tells which live."""
    begun = re.compile(rf"\.+{re.escape(stem)}\.(\d+)\.partial.*")  # more dots: writers within writers
    for left in list(folder.iterdir()) if os.name == "posix" else ():
        try:
            os.kill(int(found[1]), 0) if (found := begun.fullmatch(left.name)) else None
        except ProcessLookupError:
            _remove(left)
        except (PermissionError, OverflowError):
            pass  # another user's, who lives


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        path.unlink()


def is_partial(path: Path) -> bool:
    """Whether a name is one that `atomic_path` gives to what is not finished."""
    return bool(_PARTIAL.fullmatch(path.name))


def _sync_all(path: Path) -> None:
    """Has the system write a file, or a folder with all that is in it, to the disk."""
    for below in path.rglob("*") if path.is_dir() else ():
        _sync(below)
    _sync(path)


def _sync(path: Path) -> None:
    if path.is_dir():
        with suppress(OSError):  # some systems open no folders, and some file systems cannot sync them
            _sync_descriptor(os.open(path, os.O_RDONLY))
    else:
        _sync_descriptor(os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY))


def _sync_descriptor(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_full(error: Exception) -> bool:
    """Whether an error, the system's or a video library's, says that there is no room left on a disk."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_json(path: str | Path, value: Any) -> None:
    """Indented JSON; NaN and infinity are refused, since other readers would stumble over them."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """The value in a JSON file. Raises GaussianTalkerError when it is missing or is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GaussianTalkerError(f"{path} does not exist: check its name.") from None
    except (ValueError, OSError) as error:
        raise GaussianTalkerError(f"{path} cannot be read as JSON ({error}): repair it or write it anew.") from None


def read_arrays(path: str | Path, *names: str) -> dict[str, np.ndarray]:
    """The arrays of a numpy .npz file: those named, or all. Nothing in it is ever executed.

    Raises GaussianTalkerError when it is missing, damaged, of another kind, or lacks one of them.
    """
    path = existing_file(path, ".npz")
    with _damage_told(path, ".npz"), open(path, "rb") as raw, np.load(raw) as file:
        for name in names:
            if name not in file:
                raise GaussianTalkerError(f"{path} lacks the array {name!r}: make the file again.")
        return {name: file[name] for name in names or file.files}


def read_array(path: str | Path, mapped: bool = False) -> np.ndarray:
    """The array in a numpy .npy file; `mapped` leaves it on the disk. Raises GaussianTalkerError as `read_arrays`."""
    path = existing_file(path, ".npy")
    with _damage_told(path, ".npy"), open(path, "rb") as raw:
        return open_memmap(path, mode="r") if mapped else read_one(raw, allow_pickle=False)


@contextmanager
def _damage_told(path: Path, ending: str) -> Iterator[None]:
    """One sentence for whatever numpy raises over a damaged file, of a dozen kinds so far."""
    try:
        yield
    except GaussianTalkerError:
        raise
    except Exception as error:
        raise GaussianTalkerError(
            f"{path} is not a numpy {ending} file that can be read ({type(error).__name__}): it is damaged or of "
            "another kind; write it anew."
        ) from error


def existing_file(path: str | Path, kind: str) -> Path:
    """The path, when it is a file with something in it; else GaussianTalkerError naming what was wanted."""
    path = Path(path)
    if path.is_dir():
        raise GaussianTalkerError(f"{path} is a folder; give the {kind} file inside it.")
    if not path.exists():
        raise GaussianTalkerError(f"{path} does not exist; check the name of the {kind} file.")
    if path.stat().st_size == 0:
        raise GaussianTalkerError(f"{path} is empty; give a {kind} file with content.")
    return path
