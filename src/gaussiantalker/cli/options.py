"""How options that several verbs share look in the help."""

import shlex
from pathlib import Path
from typing import Annotated

import tyro

Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
Folders = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
File = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
OptionalFolder = Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
OptionalFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
OptionalPair = Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="TRUTH.csv RENDER.csv", help_behavior_hint="")]
Device = Annotated[
    str,
    tyro.conf.arg(metavar="NAME", help="Where to compute: `cpu`, `cuda`, or `auto`, whichever is faster here."),
]
Exact = Annotated[
    bool,
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.arg(help="Run the trained network for every Gaussian, not the blendshapes that stand for it."),
]
Force = Annotated[bool, tyro.conf.FlagCreatePairsOff]


def quoted(path: Path) -> str:
    """The path as a shell takes it for one word, and a verb for no option."""
    word = f"./{path}" if str(path).startswith("-") else str(path)
    return shlex.quote(word)


OptionalName = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
