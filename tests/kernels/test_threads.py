import os
import random
import signal
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest
import torch

from gaussiantalker.kernels import threads
from gaussiantalker.kernels.threads import compiled, for_each, helper, pool


@helper
def mark(i, counts, squares, names):
    counts[i] += 1
    squares[i] = i * i
    names[i] = threads_seen(names, i)


@helper
def threads_seen(names, i):
    return names[i] + 1


@compiled
def mark_all(pool, counts, squares, names):
    for_each(pool, len(counts), mark, (counts, squares, names))


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_index_comes_exactly_once(count, workers):
    counts, squares, names = (np.zeros(count, np.int64) for _ in range(3))
    mark_all((pool()[0], workers), counts, squares, names)
    np.testing.assert_array_equal(counts, 1)
    np.testing.assert_array_equal(squares, np.arange(count) ** 2)


def test_the_pool_is_as_large_as_torch_s():
    for count in (1, 2):
        torch.set_num_threads(count)
        assert pool()[1] == count


def test_many_python_threads_at_once():
    results = [np.zeros(500, np.int64) for _ in range(8)]

    def work(counts):
        for _ in range(20):
            mark_all(pool(), counts, np.zeros(500, np.int64), np.zeros(500, np.int64))

    workers = [threading.Thread(target=work, args=(counts,)) for counts in results]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    np.testing.assert_array_equal(np.stack(results), 20)


@pytest.mark.usefixtures("heeds_control_c")
@pytest.mark.parametrize("delay", [0.001, 0.005, 0.02])
@pytest.mark.skipif(os.name != "posix", reason="signals to oneself")
def test_control_c_ends_the_loop_around_kernels_and_nothing_else(delay):
    counts, squares, names = (np.zeros(300, np.int64) for _ in range(3))
    mark_all(pool(), counts, squares, names)
    for _ in range(10):
        interrupt = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            interrupt.start()
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                mark_all(pool(), counts, squares, names)
        interrupt.join()
    assert len(np.unique(counts)) == 1
    assert counts[0] > 10


class Signalled(Exception):
    """What the signals of the next test raise."""


@pytest.mark.skipif(os.name != "posix", reason="signals to oneself")
def test_no_signal_is_lost_at_any_moment(capfd):
    """Many short loops, so that they begin and end all the time."""

    def handle(number, frame):
        raise Signalled

    counts, squares, names = (np.zeros(2, np.int64) for _ in range(3))
    shared, before, dice = (pool()[0], 3), signal.signal(signal.SIGUSR1, handle), random.Random(0)
    mark_all(shared, counts, squares, names)
    try:
        for number in range(300):
            sender = threading.Timer(dice.uniform(0, 2e-3), os.kill, (os.getpid(), signal.SIGUSR1))
            deadline = time.monotonic() + 20
            try:
                sender.start()
                while time.monotonic() < deadline:
                    mark_all(shared, counts, squares, names)
                pytest.fail(f"signal {number} never arrived")
            except Signalled:
                sender.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert counts[0] == counts[1] > 300, "every loop ran to its end"
    assert "ignored" not in capfd.readouterr().err


def test_a_body_that_returns_something_is_refused():
    @helper
    def answer(i, numbers):
        return numbers[i]

    @compiled
    def wrong(pool, numbers):
        for_each(pool, len(numbers), answer, (numbers,))

    with pytest.raises(Exception, match="must return nothing"):
        wrong(pool(), np.zeros(3))


def test_torch_is_quieted_once_and_goes_on_working():
    pool()
    parked = [thread for thread in threading.enumerate() if thread.name == "parked OpenMP team"]
    pool()
    threads.quiet_torch()
    assert [thread for thread in threading.enumerate() if thread.name == "parked OpenMP team"] == parked
    a = torch.rand(300, 300)
    torch.testing.assert_close(a @ torch.eye(300), a)


def test_the_user_s_own_waiting_policy_is_left_alone(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    before = threading.active_count()
    threads.quiet_torch.__wrapped__()
    assert threading.active_count() == before


def test_kernels_are_cached_under_the_text_they_are_made_of(monkeypatch, tmp_path):
    """So that a change in a helper's file is not hidden by an old kernel."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    mark_again = compiled(mark_all.py_func)
    counts, squares, names = (np.zeros(3, np.int64) for _ in range(3))
    mark_again(pool(), counts, squares, names)
    (folder,) = tmp_path.iterdir()
    assert folder == threads.kernel_folder(Path(__file__))
    assert list(folder.rglob("*.nbc"))
    assert numba.config.CACHE_DIR == str(tmp_path)


def test_kernels_of_a_former_text_are_removed_beside_the_package_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "__file__", str(tmp_path / "threads.py"))
    former, other = (tmp_path / "__pycache__" / f"kernels-kernels.{name}-0" for name in ("test_threads", "stranger"))
    former.mkdir(parents=True)
    other.mkdir()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "given"))
    compiled(mark_all.py_func)
    assert former.exists()
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    compiled(mark_all.py_func)
    assert not former.exists() and other.exists()


def test_the_text_of_a_helper_names_the_folder_and_that_of_a_stranger_does_not(monkeypatch, tmp_path):
    kernel, helpers, stranger = (tmp_path / f"{name}.py" for name in ("kernel", "helpers", "stranger"))
    monkeypatch.setattr(threads, "_PACKAGE", tmp_path)
    kernel.write_text("from gaussiantalker.helpers import one\n")
    helpers.write_text("one = 1\n")
    stranger.write_text("two = 2\n")
    before = threads.kernel_folder(kernel)
    stranger.write_text("two = 3\n")
    assert threads.kernel_folder(kernel) == before
    helpers.write_text("one = 2\n")
    assert threads.kernel_folder(kernel) != before


def test_without_a_place_to_write_kernels_still_compile(monkeypatch):
    def refuses(**options):
        if options.get("cache"):
            raise RuntimeError("no locator available")
        return numba.njit(**options)

    monkeypatch.setattr(threads, "njit", refuses)
    counts, squares, names = (np.zeros(3, np.int64) for _ in range(3))
    compiled(mark_all.py_func)(pool(), counts, squares, names)
    np.testing.assert_array_equal(counts, 1)
