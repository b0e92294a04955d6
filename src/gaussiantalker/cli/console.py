"""Progress as a person wants to see it: a live table in a terminal, a line now and then in a log."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table

from gaussiantalker.progress import Progress, printable

_RATE_WINDOW_SECONDS = 20.0
_REDRAW_SECONDS = 0.25
LINE_SECONDS = 15.0

# Numbers that have a column of their own; others stand in the last column under their own name.
_COLUMNS = {"loss": ("loss", ".4f"), "psnr": ("PSNR", ".2f"), "gaussians": ("Gaussians", ",.0f")}


@dataclass
class _Stage:
    """One stage and how far it is."""

    name: str
    total: int
    began: float
    done: int = 0
    numbers: dict[str, float] = field(default_factory=dict)
    ended: float | None = None
    recent: deque[tuple[float, int]] = field(default_factory=deque)

    def update(self, now: float, done: int, numbers: dict[str, float]) -> None:
        self.done = done
        self.numbers |= numbers
        self.recent.append((now, done))
        while len(self.recent) > 2 and now - self.recent[1][0] > _RATE_WINDOW_SECONDS:
            self.recent.popleft()

    @property
    def rate(self) -> float | None:
        """Steps per second lately. Counted from the first update, so that a resumed stage does not look fast."""
        if len(self.recent) < 2:
            return None
        (before, had), (now, has) = self.recent[0], self.recent[-1]
        return (has - had) / (now - before) if now > before and has > had else None

    @property
    def seconds_left(self) -> float | None:
        rate = self.rate
        return None if rate is None or self.ended is not None else max(self.total - self.done, 0) / rate

    @property
    def took(self) -> float | None:
        """Seconds, once it has ended."""
        return None if self.ended is None else self.ended - self.began

    @property
    def count(self) -> str:
        return f"{self.done:,}/{self.total:,}" if self.total else f"{self.done:,}"

    def shown(self, key: str) -> str:
        return format(self.numbers[key], _COLUMNS[key][1]) if key in self.numbers else ""

    @property
    def others(self) -> str:
        return ", ".join(f"{name} {value:,.4g}" for name, value in self.numbers.items() if name not in _COLUMNS)


def _duration(seconds: float | None) -> str:
    """`m:ss` or `h:mm:ss`; nothing when unknown."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Stages:
    """What both ways of showing progress keep."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.console = console
        self.clock = clock
        self.stages: list[_Stage] = []

    def stage(self, name: str, total: int) -> None:
        self.end()
        self.stages.append(_Stage(printable(name), total, self.clock()))
        self.began(self.stages[-1])

    def update(self, done: int, **numbers: float) -> None:
        if self.stages:
            self.stages[-1].update(self.clock(), done, numbers)
            self.moved(self.stages[-1])

    def note(self, text: str) -> None:
        self.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def end(self) -> None:
        if self.stages and self.stages[-1].ended is None:
            self.stages[-1].ended = self.clock()
            self.finished(self.stages[-1])

    def began(self, stage: _Stage) -> None:
        """A stage has begun."""

    def moved(self, stage: _Stage) -> None:
        """A stage has gone on."""

    def finished(self, stage: _Stage) -> None:
        """A stage has ended."""


class _LiveProgress(_Stages):
    """A table that redraws itself in a terminal.

    It is drawn from `update` and not from a thread of its own, which would take time from the work it shows.
    """

    def __init__(self, console: Console, live: Live, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self.live = live
        self.drawn = -_REDRAW_SECONDS

    def began(self, stage: _Stage) -> None:
        self._draw()

    def moved(self, stage: _Stage) -> None:
        if self.clock() - self.drawn >= _REDRAW_SECONDS:
            self._draw()

    def finished(self, stage: _Stage) -> None:
        self._draw()

    def _draw(self) -> None:
        self.drawn = self.clock()
        self.live.update(self.table(), refresh=True)

    def table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        table.add_column("stage")
        for name in ("iteration", "it/s", *(title for title, _ in _COLUMNS.values()), "ETA"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("")
        for stage in self.stages:
            rate = "" if stage.rate is None else f"{stage.rate:.1f}"
            took = stage.took is not None
            left = f"took {_duration(stage.took)}" if took else _duration(stage.seconds_left)
            shown = [stage.shown(key) for key in _COLUMNS]
            table.add_row(stage.name, stage.count, rate, *shown, left, stage.others, style="dim" if took else "default")
        return table


class _LineProgress(_Stages):
    """A line when a stage begins, now and then within it, and when it ends: for logs and pipes."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self.said = 0.0

    def began(self, stage: _Stage) -> None:
        self.said = self.clock()

    def moved(self, stage: _Stage) -> None:
        if self.clock() - self.said >= LINE_SECONDS:
            self.said = self.clock()
            left = stage.seconds_left
            self.note(self._line(stage) + ("" if left is None else f", {_duration(left)} left"))

    def finished(self, stage: _Stage) -> None:
        self.note(f"{self._line(stage)}, took {_duration(stage.took)}")

    def _line(self, stage: _Stage) -> str:
        parts = [f"{stage.name}: {stage.count}"]
        if stage.rate is not None:
            parts.append(f"{stage.rate:.1f} it/s")
        parts += [f"{_COLUMNS[key][0]} {stage.shown(key)}" for key in _COLUMNS if key in stage.numbers]
        return ", ".join([*parts, *([stage.others] if stage.others else [])])


@contextmanager
def shown_progress(console: Console) -> Iterator[Progress]:
    """Progress for the console at hand, closed at the end, also when the work failed."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            progress = _LiveProgress(console, live)
            yield progress
            progress.end()
    else:
        progress = _LineProgress(console)
        yield progress
        progress.end()
