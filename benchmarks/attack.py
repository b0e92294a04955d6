"""Attacks on the product, bounded in number and time, on this machine's loopback and its own processes only.

    python benchmarks/attack.py server                # half requests, nonsense, noise, clients that do not read
    python benchmarks/attack.py kills --count 20      # capture, training and speaking, killed and gone on with
    python benchmarks/attack.py formats --count 350   # files of every kind, changed, cut and made wrong on purpose
    python benchmarks/attack.py soak --hours 2        # the server for two hours of its own clock, which runs fast

The same seed makes the same attack. What should never be: a crash, a hang, a traceback, memory that is not given back,
a resumed result that differs from an uninterrupted one, and data that is not finite or not of its shape taken silently.
"""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import attack_formats
import attack_kills
import attack_server
import attack_soak
import tyro
from rich.console import Console
from rich.table import Table

from gaussiantalker import hardware


@dataclass
class Server:
    """Strange clients."""

    rounds: int = 2
    """Of all attacks; memory should not grow in the second."""
    only: tuple[str, ...] = ()
    """Names of attacks."""

    def rows(self, seed: int) -> list[dict]:
        return attack_server.run(seed, self.rounds, self.only)


@dataclass
class Kills:
    """SIGKILL at random moments, every second time in the midst of writing a file."""

    count: int = 20
    """Tries at each place, each killed once to three times."""
    places: tuple[str, ...] = attack_kills.PLACES
    """Where."""

    def rows(self, seed: int) -> list[dict]:
        return attack_kills.run(self.places, self.count, seed)


@dataclass
class Formats:
    """Mutated files."""

    count: int = 350
    """Mutations for each reader."""
    only: tuple[str, ...] = ()
    """Names of readers."""
    material: Path | None = None
    """A folder with head.mp4, capture and avatar, instead of a drawn head's."""

    def rows(self, seed: int) -> list[dict]:
        with tempfile.TemporaryDirectory() as name:
            if self.material is None:
                attack_kills.make(Path(name))
            return attack_formats.run(self.material or Path(name), self.count, seed, self.only)


@dataclass
class Soak:
    """A live session whose clock runs fast."""

    hours: float = 2.0
    """Of the session's clock."""
    speed: float = 10.0
    """How much faster it runs than real time."""

    def rows(self, seed: int) -> list[dict]:
        return attack_soak.run(self.hours, self.speed)


@dataclass
class Options:
    attack: Server | Kills | Formats | Soak
    seed: int = 0
    """Of the dice."""
    json: Path | None = None
    """Where to write the rows."""


def table(rows: list[dict]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = Table(*names)
    for row in rows:
        shown.add_row(*(_cell(row.get(name, "")) for name in names))
    return shown


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {count}" for key, count in value.items())
    return " to ".join(map(str, value)) if isinstance(value, list) else str(value)


def main(options: Options) -> None:
    rows = options.attack.rows(options.seed)
    Console(width=200).print(table(rows))
    if options.json:
        facts = {"machine": hardware.describe(), "seed": options.seed, "options": asdict(options.attack)}
        options.json.write_text(json.dumps({**facts, "rows": rows}, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main(tyro.cli(tyro.conf.OmitSubcommandPrefixes[Options], description=__doc__))
