"""Progress in a terminal and in a log."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.live import Live

from gaussiantalker.cli.console import LINE_SECONDS, _duration, _LineProgress, _LiveProgress, _Stage, shown_progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def drawn(live: _LiveProgress) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(live.table())
    return console.file.getvalue()


def test_the_table_shows_every_promised_column() -> None:
    clock = Clock()
    console = Console(file=io.StringIO(), force_terminal=True, width=140)
    with Live(console=console, auto_refresh=False) as live:
        progress = _LiveProgress(console, live, clock)
        progress.stage("canonical stage", 1000)
        progress.update(100, loss=0.5, psnr=20.0, gaussians=12345)
        clock.now += 10
        progress.update(200, loss=0.25, psnr=25.5, gaussians=23456, lip=0.125)
        shown = drawn(progress)
    for part in ("stage", "iteration", "it/s", "loss", "PSNR", "Gaussians", "ETA"):
        assert part in shown.splitlines()[0]
    for part in ("canonical stage", "200/1,000", "10.0", "0.2500", "25.50", "23,456", "1:20", "lip 0.125"):
        assert part in shown.splitlines()[1]


def test_a_finished_stage_stays_with_the_time_it_took() -> None:
    clock = Clock()
    console = Console(file=io.StringIO(), force_terminal=True, width=140)
    with Live(console=console, auto_refresh=False) as live:
        progress = _LiveProgress(console, live, clock)
        progress.stage("tracking", 10)
        clock.now += 75
        progress.stage("masks", 10)
        shown = drawn(progress)
    assert "tracking" in shown and "took 1:15" in shown and "masks" in shown


def test_a_terminal_shows_notes_and_puts_the_cursor_back() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=140)
    with pytest.raises(KeyboardInterrupt), shown_progress(console) as progress:
        progress.stage("a", 3)
        progress.note("The licence of [this] model is MIT.")
        raise KeyboardInterrupt
    text = console.file.getvalue()
    assert "The licence of [this] model is MIT." in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_log_gets_a_line_now_and_then() -> None:
    clock = Clock()
    console = Console(file=io.StringIO(), width=200)
    progress = _LineProgress(console, clock)
    progress.stage("canonical stage", 1000)
    for done in range(1, 1001):
        clock.now += LINE_SECONDS / 250
        progress.update(done, loss=1 / done)
    progress.note("a note")
    progress.end()
    lines = console.file.getvalue().splitlines()
    assert 3 <= len(lines) <= 7
    assert lines[0].startswith("canonical stage: 2") and lines[0].endswith("left")
    assert lines[-2:] == ["a note", lines[-1]] and "1,000/1,000" in lines[-1] and "took 1:00" in lines[-1]


def test_updates_before_any_stage_are_ignored() -> None:
    progress = _LineProgress(Console(file=io.StringIO()))
    progress.update(3)
    progress.end()


def test_a_resumed_stage_is_not_credited_with_earlier_work() -> None:
    stage = _Stage("deformation", 1000, began=0.0)
    stage.update(1.0, 900, {})
    assert stage.rate is None and stage.seconds_left is None
    stage.update(3.0, 910, {})
    assert stage.rate == pytest.approx(5) and stage.seconds_left == pytest.approx(18)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 50)), min_size=1, max_size=60))
def test_rate_is_that_of_the_last_seconds_and_never_negative(steps: list[tuple[float, int]]) -> None:
    stage, now, done = _Stage("any", 10_000, began=0.0), 0.0, 0
    for seconds, more in steps:
        now, done = now + seconds, done + more
        stage.update(now, done, {})
    assert stage.rate is None or stage.rate > 0
    assert stage.seconds_left is None or stage.seconds_left >= 0
    assert len(stage.recent) <= len(steps)


@given(st.integers(0, 100_000))
def test_durations_read_back(seconds: int) -> None:
    parts = [int(part) for part in _duration(seconds).split(":")]
    assert sum(part * 60**i for i, part in enumerate(reversed(parts))) == seconds
