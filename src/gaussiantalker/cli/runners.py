"""Where a batch's jobs run, each in a process of its own: on this machine's cores, or on a Ray cluster."""

import io
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, Protocol

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.hardware import cores

_RETRIES = 3  # of a job whose Ray worker, or the machine it is on, is lost


class Task(NamedTuple):
    """One verb to run."""

    arguments: list[str]
    folder: Path  # where it is run
    log: Path  # takes what it tells on its way
    device: str


class Outcome(NamedTuple):
    """How a verb ended: its exit code, and the last that it said."""

    code: int
    said: str


class Runner(Protocol):
    """Runs tasks."""

    places: int
    """How many tasks it is given at once."""

    def submit(self, task: Task) -> "Future[Outcome]":
        """Begins a task, or lets it wait for a place."""
        ...

    def stop(self) -> None:
        """Interrupts what runs, as Ctrl-C would, and returns when it has ended."""
        ...


def _perform(task: Task, threads: int) -> Outcome:
    """Runs the verb in this process, which has run no other."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.chdir(task.folder)
    from gaussiantalker.cli.main import main

    said = io.StringIO()
    with open(task.log, "a", encoding="utf-8") as told, redirect_stdout(said), redirect_stderr(told):
        code = main(task.arguments)
    told = said.getvalue().strip() or task.log.read_text(encoding="utf-8").strip()
    return Outcome(code, told.splitlines()[-1] if code and told else told)


class Cores:
    """This machine's: as many tasks at once as there are threads for."""

    def __init__(self, threads: int) -> None:
        self.places = max(1, cores() // threads)
        self._threads, self._pool = threads, ThreadPoolExecutor(self.places)
        self._context = multiprocessing.get_context("spawn")
        self._running: set[int] = set()

    def submit(self, task: Task) -> "Future[Outcome]":
        return self._pool.submit(self._run, task)

    def _run(self, task: Task) -> Outcome:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_alone, args=(sender, task, self._threads))
        process.start()
        sender.close()
        assert process.pid is not None  # it has started
        self._running.add(process.pid)
        try:
            return receiver.recv()
        except EOFError:
            process.join()
            return Outcome(1, f"The process was lost ({_why(process.exitcode)}).")
        finally:
            process.join()
            self._running.discard(process.pid)

    def stop(self) -> None:
        for process in list(self._running):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGINT)
        self._pool.shutdown(cancel_futures=True)


def _alone(sender: Connection, task: Task, threads: int) -> None:
    """A process's work. It ends when the batch is gone, and hears of Ctrl-C from the batch alone, once."""
    os.setpgrp()
    batch = multiprocessing.parent_process()
    assert batch is not None  # which started this one

    def watch() -> None:
        batch.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    sender.send(_perform(task, threads))


def _why(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"


class Ray:
    """A cluster's, whose machines all see the same files under the same names."""

    places = 10_000  # the cluster's scheduler lets them wait

    def __init__(self, address: str, threads: int) -> None:
        """Raises GaussianTalkerError where Ray is not installed, or no cluster answers at the address."""
        try:
            import ray
        except ImportError:
            raise GaussianTalkerError("Ray needs its own package: pip install 'gaussiantalker[ray]'.") from None
        try:
            ray.init(address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise GaussianTalkerError(f"No Ray cluster answers at {address} ({error}): check the address.") from None
        self._ray, self._threads, self._running = ray, threads, set()
        self._perform = ray.remote(num_cpus=threads, max_calls=1, max_retries=_RETRIES)(_perform)

    def submit(self, task: Task) -> "Future[Outcome]":
        reference = self._perform.options(num_gpus=1 if task.device == "cuda" else 0).remote(task, self._threads)
        self._running.add(reference)
        return reference.future()

    def stop(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference)
        self._ray.wait(list(self._running), num_returns=len(self._running))
