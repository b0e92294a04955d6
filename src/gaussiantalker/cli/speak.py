"""The verb `speak`."""

from dataclasses import dataclass
from pathlib import Path

from gaussiantalker.cli.options import Device, Exact, File, Folder, Force, OptionalFile
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
    pose: str = "recorded"
    """How the head moves: `recorded`, `still`, a table of angles (.csv, .npz), or another capture's folder."""
    blink: str = "recorded"
    """When the eyes shut: `recorded`, `auto` (at human rates), or a number from 0 (open) to 1."""
    articulation: float = 1.0
    """How far the mouth moves: 1 as the person speaks."""
    mouth: OptionalFile = None
    """What moves the mouth instead of the sound: a table of its scores (.csv, .npz), or another capture's folder."""
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
        return self.out or Path(f"{self.audio.stem}.mp4")

    @property
    def when_stopped(self) -> str:
        return f"Stopped; {self.file} was not written."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.media.outputs import check_target
        from gaussiantalker.provenance.manifest import credentials
        from gaussiantalker.speaking import Avatar
        from gaussiantalker.speaking.performance import FILMS

        check_target(
            self.file,
            FILMS,
            inputs=[self.audio, self.pose, *filter(None, (self.mouth, self.certificate, self.key))],
            force=self.force,
        )
        signer = credentials(self.certificate, self.key) if self.certificate or self.key else None
        avatar = Avatar.load(self.avatar, progress, self.device, exact=self.exact)
        how = {"pose": self.pose, "blink": self.blink, "articulation": self.articulation, "mouth": self.mouth}
        spoken = avatar.speak(self.audio, **how)
        for sentence in spoken.sound.told:
            progress.note(f"{self.audio.name}: {sentence}")
        spoken.save(self.file, progress, labelled=self.label, signer=signer, force=self.force)
        return f"Written: {self.file}"
