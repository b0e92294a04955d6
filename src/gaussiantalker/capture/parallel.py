"""One piece of work per thread, results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from gaussiantalker.hardware import WORKERS

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    workers: int = WORKERS,
    initializer: Callable[[], None] | None = None,
) -> Iterator[_Result]:
    """`work` of each item, computed by `workers` threads a little ahead of the reader, whose pace bounds the memory.

    An error in `work` is raised where its result would have come.
    """
    waiting: deque[Future[_Result]] = deque()
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
