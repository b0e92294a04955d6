"""The log says a thing once a second, and nothing to the terminal itself."""

import io
import logging

import pytest

from gaussiantalker.serving import log


def test_one_kind_is_told_once_a_second_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(log, "monotonic", lambda: now[0])
    stream, logger = io.StringIO(), logging.Logger("some")
    handler = logging.StreamHandler(stream)
    handler.addFilter(log._Sparing())
    handler.setFormatter(log._Plain("%(message)s"))
    logger.addHandler(handler)
    for k in range(1000):
        logger.warning("Client %d is odd.", k)
        logger.warning("Another \x1b[2J thing.")
    now[0] += 1
    logger.warning("Client %d is odd.", 1000)
    told = stream.getvalue().splitlines()
    assert told == ["Client 0 is odd.", r"Another \x1b[2J thing.", "Client 1000 is odd. (and 999 more like it)"]


def test_kinds_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sparing = log._Sparing()
    for k in range(5000):
        sparing.filter(logging.LogRecord("some", logging.WARNING, "", 0, f"kind {k}", (), None))
    assert len(sparing._last) <= 1000
