"""The threads that make pictures, shared by all live streams of a process."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import torch

from gaussiantalker.hardware import cores

TOGETHER = 4  # pieces of work, as many pictures as the renderer makes at once

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Job(NamedTuple):
    due: float
    item: Any
    result: Future


class _Turn(NamedTuple):
    work: Callable[[list], Iterable]
    jobs: deque[_Job]


class Studio:
    """Does the work of streams on a few threads: each stream's in its order, by one thread at a time, and of all
    streams' that first which is due first. What of a stream has come to wait by then is worked at together, up to
    `TOGETHER` pieces: so the more there is to do, the less each takes.

    Alone, a stream has all cores for a picture; several streams have one picture on each core, since two pictures on
    a core each are made sooner than one after the other on two.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or cores()
        self._streams: dict[object, _Turn] = {}
        self._busy: set[object] = set()
        self._changed = threading.Condition()
        self._workers = 0
        self._closed = False

    def submit(
        self, stream: object, due: float, item: Item, work: Callable[[list[Item]], Iterable[Result]]
    ) -> "Future[Result]":
        """A piece of a stream's work that is due at this time of `time.monotonic`. `work`, one for all of a stream,
        gives one result after another for several items."""
        result: Future[Result] = Future()
        with self._changed:
            if self._closed:
                result.cancel()
                return result
            self._streams.setdefault(stream, _Turn(work, deque())).jobs.append(_Job(due, item, result))
            if self._workers < min(self._threads, len(self._streams)):
                self._workers += 1
                threading.Thread(target=self._run, name=f"studio {self._workers}", daemon=True).start()
            self._changed.notify()
        return result

    def leave(self, stream: object) -> None:
        """The stream has ended: what it waits for is cancelled."""
        with self._changed:
            if stream in self._streams:
                for job in self._streams.pop(stream).jobs:
                    job.result.cancel()

    def close(self) -> None:
        """Ends the threads when they have finished what they are at."""
        with self._changed:
            self._closed = True
            for turn in self._streams.values():
                for job in turn.jobs:
                    job.result.cancel()
            self._streams.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while self._do_one():  # whose names are forgotten with it: a thread that waits must not keep a stream alive
            pass

    def _do_one(self) -> bool:
        """Waits for work and does it; False when the studio is closed."""
        taken = self._next()
        if taken is None:
            return False
        stream, work, jobs, threads = taken
        if torch.get_num_threads() != threads:  # of this thread alone
            torch.set_num_threads(threads)
        jobs = [job for job in jobs if job.result.set_running_or_notify_cancel()]
        try:
            for job, result in zip(jobs, work([job.item for job in jobs]), strict=True):
                job.result.set_result(result)
        except BaseException as error:
            for job in jobs:
                if not job.result.done():
                    job.result.set_exception(error)
        with self._changed:
            self._busy.discard(stream)
            self._changed.notify()
        return True

    def _next(self) -> tuple[object, Callable[[list], Iterable], list[_Job], int] | None:
        """Waits for work whose stream is not being worked for; None when the studio is closed."""
        with self._changed:
            while not self._closed:
                waiting = {stream: turn.jobs[0].due for stream, turn in self._streams.items() if turn.jobs}
                free = [stream for stream in waiting if stream not in self._busy]
                if free:
                    stream = min(free, key=waiting.__getitem__)
                    self._busy.add(stream)
                    work, jobs = self._streams[stream]
                    taken = [jobs.popleft() for _ in range(min(TOGETHER, len(jobs)))]
                    return stream, work, taken, max(1, self._threads // len(self._streams))
                self._changed.wait()
        return None
