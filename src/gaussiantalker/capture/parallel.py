"""One piece of work per thread, results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from gaussiantalker.hardware import WORKERS

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int = WORKERS,
    initializer: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """`work` of each item, computed by `workers` threads a little ahead of the reader, whose pace bounds the memory.

    An error in `work` is raised where its result would have come.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, initializer=initializer) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
