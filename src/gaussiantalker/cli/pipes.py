"""Inputs that come through a pipe, as `-`, /dev/stdin or <(...): read once, and kept while a verb needs them."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gaussiantalker.errors import Failure, GaussianTalkerError


@contextmanager
def unpiped(verb: Any) -> Iterator[Any]:
    """The verb with every pipe among its inputs replaced by a file with what came through it, called `piped`."""
    inputs = {name: value for name, value in vars(verb).items() if name != "out"}
    pipes = {name: value for name, value in inputs.items() if isinstance(value, Path) and _is_pipe(value)}
    if not pipes:
        yield verb
        return
    with tempfile.TemporaryDirectory() as folder:
        kept = {}
        for k, (name, pipe) in enumerate(pipes.items()):
            kept[name] = Path(folder) / str(k) / "piped"
            kept[name].parent.mkdir()
            _keep(pipe, kept[name])
        yield replace(verb, **kept)


def _is_pipe(path: Path) -> bool:
    return str(path) == "-" or path.is_fifo() or path.is_socket()


def _keep(pipe: Path, file: Path) -> None:
    try:
        if str(pipe) == "-" and sys.stdin.isatty():
            raise GaussianTalkerError("- reads what is piped in, but nothing is: give a file, or PROGRAM | ... -.")
        with open(sys.stdin.fileno() if str(pipe) == "-" else pipe, "rb", closefd=str(pipe) != "-") as source:
            with open(file, "wb") as target:
                shutil.copyfileobj(source, target)
                if not target.tell():
                    raise GaussianTalkerError(
                        f"Nothing came through {pipe}: give a file, or a program that writes one."
                    )
    except OSError as error:
        raise Failure(f"What comes through {pipe} cannot be kept in {file.parent} ({error.strerror}).") from error
