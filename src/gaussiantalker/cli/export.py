"""The verb `export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gaussiantalker.cli.options import Folder, Force, OptionalFile, quoted
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Export:
    """Write an avatar for a web page without a server behind it, or its head for viewers of Gaussians."""

    avatar: Folder
    """A folder written by `gaussiantalker train`."""
    to: Literal["web", "ply", "spz"] = "web"
    """`web`: a folder with the avatar, its player and a page, for any static host. `ply`, `spz`: the head's Gaussians
    as public viewers read them."""
    out: OptionalFile = None
    """The folder or file to write (default: NAME-OF-THE-AVATAR-web, or NAME-OF-THE-AVATAR.ply, here)."""
    audio: OptionalFile = None
    """With `ply` and `spz`: the head as it is while saying this, instead of at rest."""
    at: float = 0.0
    """At which second of the audio."""
    force: Force = False
    """Replace a file of that name that GaussianTalker did not write, or write among others' files."""

    @property
    def target(self) -> Path:
        name = self.avatar.resolve().name
        return self.out or Path(f"{name}-web" if self.to == "web" else f"{name}.{self.to}")

    @property
    def when_stopped(self) -> str:
        return f"Stopped; {self.target} is not complete."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.export import export_head, export_web
        from gaussiantalker.export.web import SNIPPET, check_folder
        from gaussiantalker.media.outputs import check_target
        from gaussiantalker.speaking import Avatar

        if self.to == "web":
            if self.audio is not None:
                raise GaussianTalkerError("A page speaks any sound: leave --audio out, or export --to ply or spz.")
            check_folder(self.target, self.force)
            sizes = export_web(Avatar.load(self.avatar, progress, "cpu"), self.target, force=self.force)
            told = "\n".join(f"{size / 1e6:8.2f} MB  {name}" for name, size in sizes.items() if size > 5_000)
            return (
                f"{told}\n{sum(sizes.values()) / 1e6:8.2f} MB in all\nWritten: {self.target}\n"
                f"Look at it: python -m http.server --directory {quoted(self.target)}\n"
                f"In a page of your own:\n{SNIPPET}"
            )
        check_target(self.target, (f".{self.to}",), inputs=[self.audio] if self.audio else [], force=self.force)
        avatar = Avatar.load(self.avatar, progress, "cpu")
        export_head(avatar, self.target, audio=self.audio, at=self.at, force=self.force)
        return f"Written: {self.target}"
