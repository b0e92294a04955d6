"""The verb `reproduce`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gaussiantalker.cli.options import Folder, OptionalFile, OptionalFolder
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Reproduce:
    """Train and measure a table of the GaussianTalker paper on a capture, and print paper and here side by side.

    Tables: 1 self-driven, 2 cross-driven, 3 triplane attributes, 4 deformed attributes, 5 conditions, 6 stages.
    """

    table: Annotated[int, tyro.conf.Positional, tyro.conf.arg(metavar="TABLE")]
    """Its number in the paper, 1 to 6."""
    capture: Folder
    """A folder written by `gaussiantalker capture`."""
    out: OptionalFolder = None
    """Folder for its avatars and tables (default: reproduction/NAME-OF-THE-CAPTURE)."""
    preset: str = "fast"
    """`fast` trains each row for minutes, `paper` for as many iterations as the paper."""
    audio: OptionalFile = None
    """Other speech, for table 2."""
    truth: OptionalFile = None
    """Exact lip openings, as for `evaluate`."""
    syncnet: OptionalFile = None
    """SyncNet's weights, as for `evaluate`; without them the Sync columns stay empty."""

    @property
    def folder(self) -> Path:
        return self.out or Path("reproduction") / self.capture.resolve().name

    @property
    def when_stopped(self) -> str:
        return "Stopped; run the same command again to go on with the row it was at."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.evaluation import Materials, reproduce

        materials = Materials(self.truth, self.audio, self.syncnet)
        return reproduce(
            self.table, self.capture, self.folder, preset=self.preset, materials=materials, progress=progress
        )
