"""Order is kept, the reader sets the pace, and errors arrive."""

import threading
import time

import pytest

from gaussiantalker.capture.parallel import in_order


def test_results_come_in_order() -> None:
    def slow_when_even(k: int) -> int:
        time.sleep(0.002 * (k % 2 == 0))
        return k * k

    assert list(in_order(slow_when_even, range(50), 4)) == [k * k for k in range(50)]
    assert list(in_order(slow_when_even, [], 4)) == []


def test_work_stays_little_ahead_of_the_reader() -> None:
    done = []
    results = in_order(lambda k: done.append(k) or k, range(1000), 2)
    for _ in range(3):
        next(results)
    time.sleep(0.05)
    assert len(done) < 15
    results.close()
    assert threading.active_count() < 10


def test_errors_arrive_in_their_place() -> None:
    results = in_order(lambda k: 1 // (3 - k), range(6), 2)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
