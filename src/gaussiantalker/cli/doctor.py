"""The verb `doctor`."""

import os
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Doctor:
    """Print what a bug report needs: the machine, versions of everything in use, and which models are at hand."""

    when_stopped = "Stopped."

    def run(self, progress: Progress) -> str:
        return "\n".join(f"{what:<18} {found}" for what, found in [*_machine(), *_ways(), *_versions(), *_models()])


def _machine() -> list[tuple[str, str]]:
    from gaussiantalker import hardware

    return [(name, "unknown" if value is None else str(value)) for name, value in hardware.describe().items()]


def _ways() -> list[tuple[str, str]]:
    """How networks of all Gaussians are computed here, and what else was measured."""
    from gaussiantalker.talker.fastest import SAID, found

    rows = []
    for work, speeds in found().speeds.items():
        first, *others = sorted(speeds, key=speeds.__getitem__, reverse=True)
        rest = "".join(f", {SAID[way]} {speeds[way]:.0f}" for way in others)
        rows.append((work, f"{SAID[first]}, {speeds[first]:.0f} GFLOP/s (measured once{rest})"))
    return rows


def _versions() -> list[tuple[str, str]]:
    """The package and the core packages it asks for; extras (those with a marker) are left out."""
    try:
        wanted = [line for line in requires("gaussiantalker") or [] if "extra ==" not in line]
        names = ["gaussiantalker", *(re.split(r"[^A-Za-z0-9._-]", line)[0] for line in wanted)]
    except PackageNotFoundError:
        return [("gaussiantalker", "not installed, running from source")]
    return [(name, _version(name)) for name in names]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing: run pip install gaussiantalker again"


def _models() -> list[tuple[str, str]]:
    from gaussiantalker.pretrained import MODELS
    from gaussiantalker.pretrained.fetch import MODELS_VARIABLE, cache_folder

    folders = [cache_folder(), *([Path(os.environ[MODELS_VARIABLE])] if os.environ.get(MODELS_VARIABLE) else [])]
    return [
        (name, next((str(folder / model.file) for folder in folders if (folder / model.file).exists()), "not fetched"))
        for name, model in MODELS.items()
    ]
