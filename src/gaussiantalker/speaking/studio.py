"""The threads that make pictures, shared by all live streams of a process."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, NamedTuple, TypeVar

import torch

from gaussiantalker.hardware import cores

T = TypeVar("T")


class _Job(NamedTuple, Generic[T]):
    due: float
    work: Callable[[], T]
    result: "Future[T]"


class Studio:
    """Does the work of streams on a few threads: each stream's in its order, one piece at a time, and of all streams'
    that first which is due first.

    Alone, a stream has all cores for a picture; several streams have one picture on each core, since two pictures on
    a core each are made sooner than one after the other on two.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or cores()
        self._streams: dict[object, deque[_Job]] = {}
        self._busy: set[object] = set()
        self._changed = threading.Condition()
        self._workers = 0
        self._closed = False

    def submit(self, stream: object, due: float, work: Callable[[], T]) -> "Future[T]":
        """Work of a stream that is due at this time of `time.monotonic`."""
        result: Future[T] = Future()
        with self._changed:
            if self._closed:
                result.cancel()
                return result
            self._streams.setdefault(stream, deque()).append(_Job(due, work, result))
            if self._workers < min(self._threads, len(self._streams)):
                self._workers += 1
                threading.Thread(target=self._run, name=f"studio {self._workers}", daemon=True).start()
            self._changed.notify()
        return result

    def leave(self, stream: object) -> None:
        """The stream has ended: what it waits for is cancelled."""
        with self._changed:
            for job in self._streams.pop(stream, ()):
                job.result.cancel()

    def close(self) -> None:
        """Ends the threads when they have finished what they are at."""
        with self._changed:
            self._closed = True
            for jobs in self._streams.values():
                for job in jobs:
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
        stream, job, threads = taken
        if torch.get_num_threads() != threads:  # of this thread alone
            torch.set_num_threads(threads)
        if job.result.set_running_or_notify_cancel():
            try:
                job.result.set_result(job.work())
            except BaseException as error:
                job.result.set_exception(error)
        with self._changed:
            self._busy.discard(stream)
            self._changed.notify()
        return True

    def _next(self) -> tuple[object, _Job, int] | None:
        """Waits for work whose stream is not being worked for; None when the studio is closed."""
        with self._changed:
            while not self._closed:
                waiting = {stream: jobs[0].due for stream, jobs in self._streams.items() if jobs}
                free = [stream for stream in waiting if stream not in self._busy]
                if free:
                    stream = min(free, key=waiting.__getitem__)
                    self._busy.add(stream)
                    return stream, self._streams[stream].popleft(), max(1, self._threads // len(self._streams))
                self._changed.wait()
        return None
