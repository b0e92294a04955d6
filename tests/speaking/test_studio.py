"""Threads that all live streams share."""

import asyncio
import threading
import time

import numpy as np
import torch
from flash_and_beep import FlashAndBeep, beeps

from gaussiantalker.speaking import AvatarStream, Studio


def test_each_streams_work_is_done_in_its_order_and_never_twice_at_once() -> None:
    studio, done, working = Studio(3), [], {"a": 0, "b": 0}

    def work(stream: str, number: int) -> int:
        working[stream] += 1
        assert working[stream] == 1
        time.sleep(0.001)
        done.append((stream, number))
        working[stream] -= 1
        return number

    futures = [studio.submit(s, n, lambda s=s, n=n: work(s, n)) for n in range(20) for s in ("a", "b")]
    assert [future.result(timeout=20) for future in futures] == [n for n in range(20) for _ in "ab"]
    for stream in "ab":
        assert [number for name, number in done if name == stream] == list(range(20))
    studio.close()


def test_what_is_due_first_comes_first() -> None:
    studio, done, begin = Studio(1), [], threading.Event()
    first = studio.submit("first", 0.0, begin.wait)
    futures = [studio.submit(due, due, lambda due=due: done.append(due)) for due in (3.0, 1.0, 2.0)]
    begin.set()
    for future in [first, *futures]:
        future.result(timeout=20)
    assert done == [1.0, 2.0, 3.0]
    studio.close()


def test_a_stream_has_all_cores_alone_and_one_beside_others() -> None:
    studio = Studio(2)
    assert studio.submit("a", 0.0, torch.get_num_threads).result(timeout=20) == 2
    together = [studio.submit(name, 0.0, torch.get_num_threads) for name in "bc"]
    assert [future.result(timeout=20) for future in together] == [1, 1]
    for name in "bc":
        studio.leave(name)
    assert studio.submit("a", 0.0, torch.get_num_threads).result(timeout=20) == 2
    studio.close()


def test_who_leaves_waits_for_nothing() -> None:
    studio, begin = Studio(1), threading.Event()
    running = studio.submit("a", 0.0, begin.wait)
    while not running.running():
        time.sleep(0.001)
    waiting = studio.submit("b", 1.0, lambda: 1)
    studio.leave("b")
    begin.set()
    assert waiting.cancelled() and running.result(timeout=20)
    studio.close()
    assert studio.submit("a", 0.0, lambda: 1).cancelled()


def test_an_error_is_the_streams_own() -> None:
    studio = Studio(1)
    failed, fine = studio.submit("a", 0.0, lambda: 1 / 0), studio.submit("b", 1.0, lambda: 2)
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
