"""Ctrl-C that waits: steps are atomic, and a signal is honoured between them."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """For the length of a block Ctrl-C is only noted. What is given, called where it does no harm, honours it.

    A second Ctrl-C interrupts at once. Other threads than the main one get no signals, so nothing is held back there.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield lambda: None
        return
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        if len(noted) > 1:
            usual(number, frame)

    def honour() -> None:
        if noted:
            usual(noted[0], None)

    signal.signal(signal.SIGINT, note)
    try:
        yield honour
    finally:
        signal.signal(signal.SIGINT, usual)
