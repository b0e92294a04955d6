"""The verb `reproduce`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gaussiantalker.cli.options import Device, Folder, OptionalFile, OptionalFolder
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Reproduce:
    """Train and measure a table of the papers on a capture, and print paper and here side by side.

    Tables: 1 self-driven, 2 cross-driven, 3 triplane attributes, 4 deformed attributes, 5 conditions, 6 stages, and
    `egstalker`, EGSTalker's ablation.
    """

    table: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TABLE")]
    """GaussianTalker's number of it, 1 to 6, or `egstalker`."""
    capture: Folder
    """A folder written by `gaussiantalker capture`; 128 pixels do for the fast preset."""
    out: OptionalFolder = None
    """Folder for its avatars and tables (default: reproduction/NAME-OF-THE-CAPTURE)."""
    preset: str = "fast"
    """`fast` trains each row for about a minute, `demo` for some, `paper` for as many iterations as the paper."""
    seeds: int = 1
    """Trainings of each row; from two on differences are judged by their spread."""
    audio: OptionalFile = None
    """Other speech, for table 2."""
    syncnet: OptionalFile = None
    """SyncNet's weights, as for `evaluate`; without them the Sync columns stay empty."""
    device: Device = "auto"

    @property
    def folder(self) -> Path:
        return self.out or Path("reproduction") / self.capture.resolve().name

    when_stopped = "Stopped; run the same command again to go on with the row it was at."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.reproduction import reproduce

        options = {"preset": self.preset, "seeds": self.seeds, "audio": self.audio, "syncnet": self.syncnet}
        options |= {"device": self.device}
        return reproduce(self.table, self.capture, self.folder, **options, progress=progress)
