"""Work that is done once: stages with recorded inputs and outputs, skipped while both are unchanged."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gaussiantalker.capture.arrays import file_size
from gaussiantalker.media.files import write_json


class Stages:
    """The record of what has been done in a folder, kept in its capture.json.

    A stage runs again when its settings, its version, or the content of what it reads have changed, or when a file it
    wrote is missing or has another length. The record is written after each stage, so a killed run goes on there.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self._path, self.record = path, record
        self.record.setdefault("stages", {})
        self.ran: list[str] = []

    def run(
        self,
        name: str,
        version: int,
        settings: dict[str, Any],
        after: Sequence[str],
        files: Sequence[str],
        work: Callable[[], dict[str, Any]],
    ) -> dict[str, Any]:
        """Facts returned by `work`, now or when it last ran. Files are those of `files` that exist afterwards."""
        done = self.record["stages"]
        inputs = {stage: done[stage]["content"] for stage in after}
        key = _digest_json({"version": version, "settings": settings, "inputs": inputs})
        folder = self._path.parent
        old = done.get(name)
        if old and old["key"] == key and all(file_size(folder / f) == n for f, n in old["files"].items()):
            return old["facts"]
        done.pop(name, None)
        for file in files:
            (folder / file).unlink(missing_ok=True)
        facts = work()
        written = [f for f in files if (folder / f).exists()]
        done[name] = {
            "key": key,
            "content": _digest_files([folder / f for f in written]),
            "files": {f: file_size(folder / f) for f in written},
            "facts": facts,
        }
        self.ran.append(name)
        self.save()
        return facts

    def save(self) -> None:
        write_json(self._path, self.record)


def digest_file(path: Path) -> str:
    """sha256 of a file, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _digest_files(paths: Sequence[Path]) -> str:
    return _digest_json({path.name: digest_file(path) for path in paths})
