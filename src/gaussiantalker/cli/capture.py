"""The verb `capture`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gaussiantalker.cli.options import File, OptionalFile, OptionalFolder, quoted
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Capture:
    """Track a portrait video: head pose, landmarks, blinks, masks, background and sound, in one folder.

    One face should fill a good part of the picture, before a background that stands still; a few minutes are best.
    A camera that moves is steadied, and of films with cuts all is kept that shows one person before one scene.
    """

    video: File
    """The video, with sound."""
    more: Annotated[
        tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE ...", help_behavior_hint="")
    ] = ()
    """More videos of this person before this scene, to be joined to it."""
    out: OptionalFolder = None
    """Folder to write (default: captures/NAME-OF-THE-VIDEO)."""
    size: int = 512
    """Side of the square pictures, in pixels; 256 trains about four times faster."""

    consent: Annotated[str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="")] = None
    """Who is seen and how they agreed to be captured; kept with the capture."""
    head: OptionalFile = None
    """Another morphable head than the one that comes along, as a .npz file laid out as in docs/capture.md."""

    parser: Literal["bisenet", "selfie"] = "bisenet"
    """What makes the masks: BiSeNet, trained on pictures for research, or a selfie segmenter, licensed for any use."""

    sync: Literal["auto", "keep"] = "auto"
    """Whether the sound is shifted where it is sure that it is out of step with the lips, or kept as it is."""
    force: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="STAGE ...", help_behavior_hint="")] = None
    """Stages to run again though nothing has changed: ingest, tracking, sync, head, labels, plates, points,
    report. Without a name all of them, also for another film than the folder holds."""

    @property
    def folder(self) -> Path:
        return self.out or Path("captures") / self.video.stem

    @property
    def _forced(self) -> tuple[str, ...] | bool:
        return () if self.force is None else self.force or True

    when_stopped = "Stopped; run the same command again to go on."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.capture import capture

        options = {"size": self.size, "consent": self.consent, "head": self.head, "force": self._forced}
        options |= {"parser": self.parser, "sync": self.sync}
        capture((self.video, *self.more), self.folder, **options, progress=progress)
        return f"Captured: {self.folder}\nNext: gaussiantalker train {quoted(self.folder)}"
