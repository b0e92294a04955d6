"""The verb `demo`."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from gaussiantalker.cli.options import Device, OptionalFolder
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress

_SIZE = 256
_COPIED = ("comparison.mp4", "report.html")
_CONSENT = "not needed: the speaker is computer-generated and resembles nobody on purpose"


@dataclass(frozen=True)
class Demo:
    """Do the whole journey on the bundled computer-generated speaker: capture, train, speak, evaluate.

    Takes some ten minutes on two cores. What is already done is not done again.
    """

    out: OptionalFolder = None
    """Folder for everything (default: demo)."""
    device: Device = "auto"

    @property
    def folder(self) -> Path:
        return self.out or Path("demo")

    when_stopped = "Stopped; run the same command again to go on from here."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.capture import capture
        from gaussiantalker.evaluation import evaluate, headlines
        from gaussiantalker.media.files import atomic_path, read_json
        from gaussiantalker.speaking import Avatar
        from gaussiantalker.training import train

        samples = _sample_folder()
        captured, trained, spoken = self.folder / "capture", self.folder / "avatar", self.folder / "speaks.mp4"
        driving = samples / "driving.wav"
        if not (trained / "avatar.json").exists():  # a demo that came so far owns these names
            for file in (spoken, *(self.folder / name for name in _COPIED)):
                if file.exists():
                    raise GaussianTalkerError(f"{file} was not written by a demo: name another folder with --out.")
        capture(samples / "speaker.mp4", captured, size=_SIZE, consent=_CONSENT, progress=progress)
        train(captured, trained, schedule="demo", device=self.device, progress=progress)
        if not _newer(spoken, trained / "avatar.json"):
            Avatar.load(trained, progress, self.device).speak(driving).save(spoken, progress=progress)
        if not _newer(trained / "evaluation.json", trained / "avatar.json"):
            truth = samples / "speaker_truth.npz"
            options = {"truth": truth, "audio": driving, "quick": True, "device": self.device}
            evaluate(trained, captured, **options, progress=progress)
        for name in _COPIED:
            with atomic_path(self.folder / name) as temporary:
                shutil.copyfile(trained / name, temporary)
        return (
            f"{headlines(read_json(trained / 'evaluation.json'))}\n"
            f"The avatar speaks:  {spoken}\n"
            f"Truth and render:   {self.folder / 'comparison.mp4'}\n"
            f"Report:             {self.folder / 'report.html'}"
        )


def _sample_folder() -> Path:
    """The folder of the bundled sample. Raises GaussianTalkerError where the package came without it."""
    folder = Path(__file__).resolve().parents[3] / "samples"
    if not (folder / "speaker.mp4").is_file():
        raise GaussianTalkerError(
            "The sample speaker is not part of the installed package: run the demo from a clone of the repository "
            "(git clone, then make demo), or start with a video of your own: gaussiantalker capture VIDEO."
        )
    return folder


def _newer(file: Path, than: Path) -> bool:
    return file.is_file() and file.stat().st_mtime >= than.stat().st_mtime
