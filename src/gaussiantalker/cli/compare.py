"""The verb `compare`."""

from dataclasses import dataclass
from pathlib import Path

from gaussiantalker.cli.options import Folders, Force, OptionalFile
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Compare:
    """Put the evaluations of several avatars side by side in one page."""

    avatars: Folders
    """Folders that `gaussiantalker evaluate` has measured."""
    out: OptionalFile = None
    """The page to write (default: compare.html here)."""
    force: Force = False
    """Replace a file of this name that is no such page."""

    @property
    def file(self) -> Path:
        return self.out or Path("compare.html")

    when_stopped = "Stopped; nothing was written."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.evaluation import compare

        return f"Written: {compare(self.avatars, self.file, force=self.force)}"
