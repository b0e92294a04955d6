"""Work that is done once: stages with recorded inputs and outputs, skipped while both are unchanged."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaussiantalker.capture.arrays import file_size
from gaussiantalker.errors import Failure, GaussianTalkerError
from gaussiantalker.media.files import is_full, write_json


@dataclass(frozen=True)
class Stage:
    """One piece of the work. Its functions are called with the job, whatever that is to those who wrote them."""

    name: str
    version: int  # another one where the same inputs give another result
    reads: tuple[str, ...]  # earlier stages whose files it reads
    writes: tuple[str, ...]  # files, of which some may not come to be
    work: Callable[[Any], dict[str, Any]]  # writes them and returns facts for the record
    parts: tuple[str, ...] = ()  # files with which killed work goes on, and that nobody needs afterwards
    settings: Callable[[Any], dict[str, Any]] = lambda job: {}  # what it depends on besides


class Stages:
    """The record of what has been done in a folder, kept in its capture.json.

    A stage runs again when its settings, its version, or the content of what it reads have changed, when a file it
    wrote is missing or has another length, or when it is forced. The record says which stage is running before it
    writes anything: a run that was killed goes on from the rows that this stage has written, and nothing else is
    trusted.
    """

    def __init__(self, path: Path, record: dict[str, Any], force: Sequence[str] = ()) -> None:
        self._path, self.record, self._force = path, record, set(force)
        self.record.setdefault("stages", {})
        self.ran: list[str] = []

    def run(self, stage: Stage, job: Any) -> None:
        """Does the stage's work unless it is done; the facts it returns are in the record afterwards.

        What `work` refuses with a GaussianTalkerError leaves no files. Raises Failure when the disk is full.
        """
        name = stage.name
        done, folder = self.record["stages"], self._path.parent
        inputs = {earlier: done[earlier]["content"] for earlier in stage.reads}
        key = _digest_json({"version": stage.version, "settings": stage.settings(job), "inputs": inputs})
        old = done.get(name)
        fresh = old and old["key"] == key and all(file_size(folder / f) == n for f, n in old["files"].items())
        if fresh and name not in self._force:
            return
        own = [folder / file for file in (*stage.writes, *stage.parts)]
        try:
            self._begin(name, key, own)
            facts = stage.work(job)
            written = [f for f in stage.writes if (folder / f).exists()]
            done[name] = {
                "key": key,
                "content": _digest_files([folder / f for f in written]),
                "files": {f: file_size(folder / f) for f in written},
                "facts": facts,
            }
            del self.record["running"]
            self.ran.append(name)
            self.save()
        except OSError as error:
            raise _failure(folder, name, error) from error
        except Failure as error:  # of one file, told again with the stage and what is kept
            if not isinstance(error.__cause__, OSError):
                raise
            raise _failure(folder, name, error.__cause__) from error
        except GaussianTalkerError:
            self._withdraw(own)
            raise
        for part in stage.parts:
            (folder / part).unlink(missing_ok=True)

    def _begin(self, name: str, key: str, own: Sequence[Path]) -> None:
        """Only the same work with the same inputs, unless it is forced, goes on where it was killed."""
        self.record["stages"].pop(name, None)
        running = {"stage": name, "key": key}
        if self.record.get("running") != running or name in self._force:
            for file in own:
                file.unlink(missing_ok=True)
        self.record["running"] = running
        self.save()

    def _withdraw(self, own: Sequence[Path]) -> None:
        self.record.pop("running", None)
        for file in own:
            file.unlink(missing_ok=True)
        if self.record["stages"]:
            self.save()
        else:
            self._path.unlink(missing_ok=True)

    def save(self) -> None:
        write_json(self._path, self.record)


def is_done(entry: Any) -> bool:
    """Whether something in a record is what `Stages` writes of a stage."""
    kinds = {"key": str, "content": str, "files": dict, "facts": dict}
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in kinds.items())


def _failure(folder: Path, stage: str, error: OSError) -> Exception:
    """What to tell when the system refuses: a full disk is no mistake of the input, and what is written is kept."""
    if is_full(error):
        return Failure(
            f"The disk of {folder} became full in the stage {stage!r}; make room and run the same command again: "
            "what is finished is kept."
        )
    return Failure(f"The stage {stage!r} in {folder} could not go on: {error.strerror or error} ({error.filename}).")


def digest_file(path: Path) -> str:
    """sha256 of a file, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _digest_files(paths: Sequence[Path]) -> str:
    return _digest_json({path.name: digest_file(path) for path in paths})
