"""Where something may be written: never over what is not ours."""

import mmap
import os
from collections.abc import Iterable
from pathlib import Path

from gaussiantalker.errors import GaussianTalkerError

MARK = "made with GaussianTalker"
"""A note that films and pictures carry within, by which they are known to be ours, and may be written anew."""

_LONGEST = 200  # bytes of a name: a temporary one beside it is longer, and file systems end at 255


def check_target(
    path: str | Path, endings: tuple[str, ...], *, inputs: Iterable[str | Path] = (), force: bool = False
) -> None:
    """Raises GaussianTalkerError, before any work, where a file must not or cannot be written.

    It must end in one of `endings`, in a folder that exists, and may replace only a file that carries `MARK` and is
    none of `inputs`, unless `force` lets it replace any file.
    """
    path = Path(path)
    if path.is_dir():
        raise GaussianTalkerError(f"{path} is a folder: name the file in it, as {path / ('NAME' + endings[0])}.")
    if path.suffix.lower() not in endings:
        raise GaussianTalkerError(
            f"{path.name[:80]} cannot be written: give a name that ends in {' or '.join(endings)}."
        )
    if len(os.fsencode(path.name)) > _LONGEST:
        raise GaussianTalkerError(f"The name {path.name[:40]}... is too long: give one of at most {_LONGEST} bytes.")
    if not path.parent.is_dir():
        raise GaussianTalkerError(f"The folder {path.parent} does not exist: make it first, or write elsewhere.")
    if not os.access(path.parent, os.W_OK):
        raise GaussianTalkerError(f"The folder {path.parent} cannot be written to: write elsewhere.")
    if path.exists() and not force:
        if any(Path(other).exists() and path.samefile(other) for other in inputs):
            raise GaussianTalkerError(f"{path} is what is read: write elsewhere with --out, or over it with --force.")
        if not is_ours(path):
            raise GaussianTalkerError(
                f"{path} exists and was not written by GaussianTalker: write elsewhere with --out, or over it with "
                "--force."
            )


def check_folder_target(path: str | Path, ending: str) -> None:
    """Raises GaussianTalkerError, before any work, where a folder must not or cannot be written: it may replace only
    one that holds nothing but files of this ending that carry `MARK`."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise GaussianTalkerError(f"{path} is a file: give another name for the folder.")
    if path.is_dir() and not all(file.suffix == ending and is_ours(file) for file in path.iterdir()):
        raise GaussianTalkerError(f"{path} holds files that GaussianTalker did not write there: give another folder.")
    check_target(path.parent / f"{path.name}{ending}", (ending,), force=True)


def is_ours(path: Path) -> bool:
    """Whether a file carries `MARK`, or has nothing in it to lose."""
    if not path.is_file():
        return False
    if not path.stat().st_size:
        return True
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(MARK.encode()) >= 0
