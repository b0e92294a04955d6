"""The verb `batch`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gaussiantalker.cli.options import File, OptionalFolder
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Batch:
    """Do many jobs, several at a time: capture, train, speak, evaluate, reproduce, in any mixture.

    A job waits for those above it that write what it reads. One that fails stops only those that wait for it, and the
    same command again does what is not done yet.
    """

    jobs: File
    """A file with one job a line, as JSON: {"verb": "train", "capture": "captures/anna", "schedule": "fast"}."""
    out: OptionalFolder = None
    """Folder for the jobs' state and what each tells (default: batches/NAME-OF-THE-FILE)."""
    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS", help_behavior_hint="")] = None
    """Run them on this Ray cluster, as `auto` or `HOST:6379`, not on this machine's cores."""
    threads: int = 2
    """Processor threads of each job; so many jobs run at once as there are cores for."""

    @property
    def folder(self) -> Path:
        return self.out or Path("batches") / self.jobs.stem

    when_stopped = "Stopped; run the same command again to go on."

    def run(self, progress: Progress) -> tuple[str, int]:
        from gaussiantalker.cli.jobs import DONE, State, do, read_jobs
        from gaussiantalker.cli.runners import Cores, Ray
        from gaussiantalker.media.lock import locked

        if self.threads < 1:
            raise GaussianTalkerError(f"There cannot be {self.threads} threads: give --threads 1 or more.")
        jobs = read_jobs(self.jobs)
        with locked(self.folder, "batch"):
            state = State(self.folder / "state.jsonl", jobs)
            runner = Ray(self.ray, self.threads) if self.ray else Cores(self.threads)
            try:
                do(jobs, state, runner, self.folder, progress)
            finally:
                runner.stop()
        count = state.count()
        told = ", ".join(f"{number} {ended}" for ended, number in count.items())
        return f"{told}. Each job's state: {self.folder / 'state.jsonl'}", 0 if set(count) == {DONE} else 1
