"""The verb `speak`."""

from dataclasses import dataclass
from pathlib import Path

from gaussiantalker.cli.options import File, Folder, OptionalFile
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Speak:
    """Let an avatar say any recording, of any length and in any language, as an mp4 with sound."""

    avatar: Folder
    """A folder written by `gaussiantalker train`."""
    audio: File
    """What to say: any common audio file, or a video with sound."""
    out: OptionalFile = None
    """The mp4 to write (default: NAME-OF-THE-AUDIO.mp4 here)."""

    @property
    def file(self) -> Path:
        return self.out or Path(f"{self.audio.stem}.mp4")

    @property
    def when_stopped(self) -> str:
        return f"Stopped; {self.file} was not written."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.speaking import Avatar

        Avatar.load(self.avatar, progress).speak(self.audio).save(self.file, progress=progress)
        return f"Written: {self.file}"
