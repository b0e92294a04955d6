"""Files that are either whole or not there."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gaussiantalker.errors import GaussianTalkerError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path`, given its real name on success and removed on failure.

    The ending is kept, because writers choose a format by it. A folder may be written in place of a file; an old
    folder of that name is replaced.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        if path.is_dir() and temporary.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Indented JSON; NaN and infinity are refused, since other readers would stumble over them."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """The value in a JSON file. Raises GaussianTalkerError when it is missing or is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GaussianTalkerError(f"{path} does not exist") from None
    except (ValueError, OSError) as error:
        raise GaussianTalkerError(f"{path} cannot be read as JSON ({error})") from None


def existing_file(path: str | Path, kind: str) -> Path:
    """The path, when it is a file with something in it; else GaussianTalkerError naming what was wanted."""
    path = Path(path)
    if path.is_dir():
        raise GaussianTalkerError(f"{path} is a folder; give the {kind} file inside it")
    if not path.exists():
        raise GaussianTalkerError(f"{path} does not exist; check the name of the {kind} file")
    if path.stat().st_size == 0:
        raise GaussianTalkerError(f"{path} is empty; give a {kind} file with content")
    return path
