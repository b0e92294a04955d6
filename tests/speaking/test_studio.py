"""Threads that all live streams share."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from flash_and_beep import FlashAndBeep, beeps

from gaussiantalker.speaking import AvatarStream, Studio


def one_by_one(work: Callable[[Any], Any]) -> Callable[[list], Iterator]:
    """Work at a piece, as studios ask for it."""
    return lambda items: (work(item) for item in items)


def test_each_streams_work_is_done_in_its_order_and_never_twice_at_once() -> None:
    studio, done, working = Studio(3), [], {"a": 0, "b": 0}

    def work(item: tuple[str, int]) -> int:
        stream, number = item
        working[stream] += 1
        assert working[stream] == 1
        time.sleep(0.001)
        done.append((stream, number))
        working[stream] -= 1
        return number

    futures = [studio.submit(s, n, (s, n), one_by_one(work)) for n in range(20) for s in ("a", "b")]
    assert [future.result(timeout=20) for future in futures] == [n for n in range(20) for _ in "ab"]
    for stream in "ab":
        assert [number for name, number in done if name == stream] == list(range(20))
    studio.close()


def test_what_has_come_to_wait_is_worked_at_together_but_for_what_was_cancelled() -> None:
    studio, begin, turns = Studio(1), threading.Event(), []

    def work(items: list[int]) -> list[int]:
        turns.append(items)
        begin.wait()
        return [10 * item for item in items]

    futures = [studio.submit("a", 0.0, 0, work)]
    while not futures[0].running():
        time.sleep(0.001)
    futures += [studio.submit("a", 0.0, item, work) for item in range(1, 7)]
    futures.pop(3).cancel()
    begin.set()
    assert [future.result(timeout=20) for future in futures] == [0, 10, 20, 40, 50, 60]
    assert turns == [[0], [1, 2, 4], [5, 6]]
    studio.close()


def test_what_is_due_first_comes_first() -> None:
    studio, done, begin = Studio(1), [], threading.Event()
    first = studio.submit("first", 0.0, None, one_by_one(begin.wait))
    futures = [studio.submit(due, due, due, one_by_one(done.append)) for due in (3.0, 1.0, 2.0)]
    begin.set()
    for future in [first, *futures]:
        future.result(timeout=20)
    assert done == [1.0, 2.0, 3.0]
    studio.close()


def test_a_stream_has_all_cores_alone_and_one_beside_others() -> None:
    studio, threads = Studio(2), one_by_one(lambda _: torch.get_num_threads())
    assert studio.submit("a", 0.0, None, threads).result(timeout=20) == 2
    together = [studio.submit(name, 0.0, None, threads) for name in "bc"]
    assert [future.result(timeout=20) for future in together] == [1, 1]
    for name in "bc":
        studio.leave(name)
    assert studio.submit("a", 0.0, None, threads).result(timeout=20) == 2
    studio.close()


def test_who_leaves_waits_for_nothing() -> None:
    studio, begin = Studio(1), threading.Event()
    running = studio.submit("a", 0.0, None, one_by_one(begin.wait))
    while not running.running():
        time.sleep(0.001)
    waiting = studio.submit("b", 1.0, 1, one_by_one(abs))
    studio.leave("b")
    begin.set()
    assert waiting.cancelled() and running.result(timeout=20)
    studio.close()
    assert studio.submit("a", 0.0, 1, one_by_one(abs)).cancelled()


def test_an_error_is_the_streams_own() -> None:
    studio = Studio(1)
    failed = studio.submit("a", 0.0, 0, one_by_one(lambda item: 1 / item))
    fine = studio.submit("b", 1.0, -2, one_by_one(abs))
    assert fine.result(timeout=20) == 2 and isinstance(failed.exception(timeout=20), ZeroDivisionError)
    studio.close()


def test_streams_that_share_a_studio_show_what_each_would_alone() -> None:
    async def seen(stream: AvatarStream) -> list[float]:
        stream.push_audio(beeps(2.0))
        stream.end_segment()
        return [float(np.mean((await anext(stream)).image)) for _ in range(50)]

    async def together() -> list[list[float]]:
        studio = Studio(2)
        streams = [AvatarStream(FlashAndBeep(), realtime=False, studio=studio) for _ in range(3)]
        found = await asyncio.gather(*(seen(stream) for stream in streams))
        for stream in streams:
            stream.close()
        studio.close()
        return found

    async def alone() -> list[float]:
        stream = AvatarStream(FlashAndBeep(), realtime=False)
        found = await seen(stream)
        stream.close()
        return found

    expected = asyncio.run(alone())
    assert asyncio.run(together()) == [expected] * 3 and max(expected) > 200
