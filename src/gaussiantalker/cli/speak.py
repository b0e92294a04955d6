"""The verb `speak`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gaussiantalker.cli.options import Device, Exact, File, Folder, Force, OptionalFile, OptionalName
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Speak:
    """Let an avatar say any recording, of any length and in any language, as an mp4 with sound."""

    avatar: Folder
    """A folder written by `gaussiantalker train`."""
    audio: File
    """What to say: any common audio file, or a video with sound."""
    out: OptionalFile = None
    """The film to write: .mp4, .webm or .mov (default: NAME-OF-THE-AUDIO.mp4 here; transparent, .webm)."""
    pose: str = "recorded"
    """How the head moves: `recorded`, `still`, a table of angles (.csv, .npz), or another capture's folder."""
    blink: str = "recorded"
    """When the eyes shut: `recorded`, `auto` (at human rates), or a number from 0 (open) to 1."""
    articulation: float = 1.0
    """How far the mouth moves: 1 as the person speaks."""
    mouth: OptionalFile = None
    """What moves the mouth instead of the sound: a table of its scores (.csv, .npz), or another capture's folder."""
    background: OptionalName = None
    """What is behind the avatar instead of its own room: `transparent` (into a .webm, a .mov, or a folder of PNGs),
    `green`, a colour (#rrggbb or its name), a picture or a video."""
    fps: Literal[25, 50] = 25
    """Pictures a second."""
    label: Force = False
    """Write "AI-generated" into the picture, for everybody to read."""
    certificate: OptionalFile = None
    """Sign with this certificate chain (PEM) instead of one made for you on first use."""
    key: OptionalFile = None
    """The certificate's private key (PEM, ES256)."""
    force: Force = False
    """Replace a file of the film's name that is no film of an avatar."""
    exact: Exact = False
    device: Device = "auto"

    @property
    def file(self) -> Path:
        return self.out or Path(f"{self.audio.stem}{'.webm' if self.background == 'transparent' else '.mp4'}")

    @property
    def when_stopped(self) -> str:
        return f"Stopped; {self.file} was not written."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.provenance.manifest import credentials
        from gaussiantalker.speaking import Avatar, Background
        from gaussiantalker.speaking.performance import check_film

        background = None if self.background is None else Background.of(self.background)
        given = filter(None, (self.mouth, self.certificate, self.key, self.background))
        clear = background is not None and background.transparent
        check_film(self.file, clear, [self.audio, self.pose, *given], self.force)
        signer = credentials(self.certificate, self.key) if self.certificate or self.key else None
        avatar = Avatar.load(self.avatar, progress, self.device, exact=self.exact)
        how = {"pose": self.pose, "blink": self.blink, "articulation": self.articulation, "mouth": self.mouth}
        spoken = avatar.speak(self.audio, **how, background=background, fps=self.fps)
        for sentence in spoken.sound.told:
            progress.note(f"{self.audio.name}: {sentence}")
        spoken.save(self.file, progress, labelled=self.label, signer=signer, force=self.force)
        return f"Written: {self.file}"
