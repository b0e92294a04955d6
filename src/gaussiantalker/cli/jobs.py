"""The jobs of a batch: what each line asks for, which jobs it waits for, how far each has come, and doing them."""

import json
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, fields, replace
from pathlib import Path
from time import monotonic
from typing import Any, get_type_hints

import tyro

from gaussiantalker.cli.runners import Outcome, Runner, Task
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path
from gaussiantalker.progress import Progress

_KINDS = ("capture", "train", "speak", "say", "evaluate", "reproduce")
WAITING, RUNNING, DONE, FAILED, LEFT_OUT, STOPPED = "waiting", "running", "done", "failed", "left out", "stopped"


@dataclass(frozen=True)
class _Job:
    """One line of a batch: a verb with its options."""

    line: int
    asked: dict[str, Any]
    arguments: list[str]  # as `gaussiantalker` takes them
    reads: frozenset[Path]
    writes: Path
    device: str
    after: tuple[int, ...] = ()  # lines above it whose jobs write what it reads

    @property
    def title(self) -> str:
        return f"line {self.line}, {self.asked['verb']}"

    @property
    def key(self) -> str:
        """What was asked, by which a job is known again when lines come and go."""
        return json.dumps(self.asked, sort_keys=True)


def read_jobs(file: Path) -> list[_Job]:
    """The jobs of a file that holds one JSON object a line: `verb`, and the verb's options by their names.

    Raises GaussianTalkerError, with the line's number, for what is no such job or no option of its verb, and where two
    jobs would write the same.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise GaussianTalkerError(
            f"The jobs cannot be read from {file} ({error}): give a file with a JSON object a line."
        ) from None
    jobs: dict[Path, _Job] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                job = _job(number, line)
                if other := jobs.get(job.writes):
                    raise GaussianTalkerError(f"Line {other.line} writes {job.writes} already: give one another out.")
            except GaussianTalkerError as error:
                raise GaussianTalkerError(f"{file}, line {number}: {error}") from None
            sources = {place for path in job.reads for place in (path, *path.parents)}
            jobs[job.writes] = replace(job, after=tuple(sorted(jobs[path].line for path in sources & jobs.keys())))
    if not jobs:
        raise GaussianTalkerError(f"{file} holds no jobs: write one JSON object a line (docs/batch.md).")
    return list(jobs.values())


def _job(number: int, line: str) -> _Job:
    from gaussiantalker.cli.main import read

    try:
        asked = json.loads(line)
    except ValueError as error:
        raise GaussianTalkerError(f"This is not JSON ({error}): write one object a line.") from None
    if not isinstance(asked, dict) or asked.get("verb") not in _KINDS:
        raise GaussianTalkerError(f"A job is an object whose verb is one of {', '.join(_KINDS)}.")
    arguments = list(_arguments(asked))
    verb = read(arguments)
    inputs = [path for name, value in vars(verb).items() if name != "out" for path in _paths(value)]
    writes: Path = getattr(verb, "folder" if hasattr(verb, "folder") else "file")
    device = getattr(verb, "device", "auto")
    return _Job(number, asked, arguments, frozenset(path.resolve() for path in inputs), writes.resolve(), device)


def _paths(value: Any) -> Iterator[Path]:
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, Path):
            yield one


def _arguments(asked: dict[str, Any]) -> Iterator[str]:
    """The job as words of a command line. What has no name there comes in the verb's own order."""
    from gaussiantalker.cli.main import VERBS

    verb = VERBS[asked["verb"]]
    hints = get_type_hints(verb, include_extras=True)
    places = [f.name for f in fields(verb) if tyro.conf.Positional in getattr(hints[f.name], "__metadata__", ())]
    given = {name.replace("-", "_"): value for name, value in asked.items() if name != "verb" and value is not None}
    yield asked["verb"]
    for name in places:
        for word in _words(given.pop(name, [])):
            yield f"./{word}" if word.startswith("-") else word
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            yield from [option] if value else []
        elif isinstance(value, list):
            yield from [option, *_words(value)]
        else:
            yield f"{option}={value}"


def _words(value: Any) -> list[str]:
    return [str(word) for word in (value if isinstance(value, list) else [value])]


class State:
    """How far each job has come: a file with one JSON object a job, written anew whenever one changes."""

    def __init__(self, file: Path, jobs: list[_Job]) -> None:
        """What is done and still there stays done, unless something that it waits for is not."""
        self._file, self._jobs = file, jobs
        before = _before(file)
        self._lines: dict[int, dict[str, Any]] = {}
        for job in jobs:
            line = before.get(job.key, {"state": WAITING})
            if line["state"] != DONE or not job.writes.exists() or any(self.of(k) != DONE for k in job.after):
                line = {"state": WAITING}
            self._lines[job.line] = line
        self._write()

    def of(self, line: int) -> str:
        return self._lines[line]["state"]

    def count(self) -> dict[str, int]:
        """How many jobs are in each state."""
        found = [line["state"] for line in self._lines.values()]
        return {state: found.count(state) for state in (DONE, FAILED, LEFT_OUT, STOPPED) if state in found}

    def set(self, job: _Job, state: str, **more: Any) -> None:
        self._lines[job.line] = {"state": state, **more}
        self._write()

    def _write(self) -> None:
        rows = [{"line": job.line, **self._lines[job.line], "job": job.asked} for job in self._jobs]
        with atomic_path(self._file) as temporary:
            temporary.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _before(file: Path) -> dict[str, dict[str, Any]]:
    """The lines of an earlier run by what their jobs asked. Raises GaussianTalkerError where the file is another's."""
    if not file.exists():
        return {}
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return {
            json.dumps(row["job"], sort_keys=True): {name: row[name] for name in row.keys() - {"line", "job"}}
            | {"state": row["state"]}
            for row in rows
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise GaussianTalkerError(f"{file} is not the state of a batch: name another folder with --out.") from None


def do(jobs: list[_Job], state: State, runner: Runner, folder: Path, progress: Progress) -> None:
    """Does what is not done yet, until nothing more can be. What each job tells goes to a file of `folder`."""
    progress.stage("jobs", len(jobs))
    running: dict[Future[Outcome], tuple[_Job, float]] = {}
    try:
        while True:
            for job in _ready(jobs, state, progress)[: runner.places - len(running)]:
                log = folder.resolve() / f"{job.line}-{job.asked['verb']}.log"
                running[runner.submit(Task(job.arguments, Path.cwd(), log, job.device))] = job, monotonic()
                state.set(job, RUNNING)
            progress.update(state.count().get(DONE, 0))
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job, began = running.pop(future)
                _note(job, future, monotonic() - began, state, progress)
    finally:
        for job, _ in running.values():
            state.set(job, STOPPED)


def _ready(jobs: list[_Job], state: State, progress: Progress) -> list[_Job]:
    """The jobs that can begin. Those that wait for what failed are left out."""
    ready = []
    for job in (job for job in jobs if state.of(job.line) == WAITING):
        before = {line: state.of(line) for line in job.after}
        lost = [line for line, ended in before.items() if ended in (FAILED, LEFT_OUT)]
        if lost:
            said = f"It waits for line {lost[0]}, which was not done."
            state.set(job, LEFT_OUT, said=said)
            progress.note(f"{job.title}: {LEFT_OUT}. {said}")
        elif all(ended == DONE for ended in before.values()):
            ready.append(job)
    return ready


def _note(job: _Job, future: Future[Outcome], seconds: float, state: State, progress: Progress) -> None:
    """Keeps and tells how a job has ended."""
    try:
        code, said = future.result()
    except Exception as error:  # whatever has become of the machine it ran on
        code, said = 1, f"It was lost ({type(error).__name__}: {error})."
    ended = FAILED if code else DONE
    state.set(job, ended, said=said, seconds=round(seconds, 1))
    progress.note(f"{job.title}: {ended} in {seconds:.0f} s. {said.partition(chr(10))[0]}")
