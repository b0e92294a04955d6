"""The verb `evaluate`."""

from dataclasses import dataclass
from pathlib import Path

from gaussiantalker.cli.options import Device, Exact, Folder, Force, OptionalFile, OptionalFolder, OptionalPair
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Evaluate:
    """Measure an avatar on the part of its capture that it was not trained on.

    Writes report.html, evaluation.json, comparison.mp4 (truth | render | error), truth.mp4 and render.mp4 into the
    avatar's folder.
    """

    avatar: Folder
    """A folder written by `gaussiantalker train`."""
    capture: OptionalFolder = None
    """The capture to compare with (default: the one it was trained on)."""
    truth: OptionalFile = None
    """Exact lip openings (.npz with lip_mm, one value per frame), where the video was computer-generated."""
    audio: OptionalFile = None
    """Other speech: also measures how well the mouth follows sound that is not in the capture."""
    openface: OptionalPair = None
    """OpenFace's tables of truth.mp4 and render.mp4, for AUE; by default a proxy stands in."""
    syncnet: OptionalFile = None
    """SyncNet's weights (syncnet_v2.model), for LSE-C and LSE-D; no package ships them."""
    articulation: float = 1.0
    """How far the mouth moves, as `speak` takes it: 1 as it was learnt."""
    exact: Exact = False
    device: Device = "auto"
    force: Force = False
    """Measure on another capture than the avatar was trained on, and replace files that are not an evaluation's."""

    @property
    def file(self) -> Path:
        return self.avatar / "evaluation.json"

    when_stopped = "Stopped; nothing new was written."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.evaluation import evaluate, headlines

        result = evaluate(
            self.avatar,
            self.capture,
            truth=self.truth,
            audio=self.audio,
            openface=self.openface,
            syncnet=self.syncnet,
            articulation=self.articulation,
            device=self.device,
            exact=self.exact,
            force=self.force,
            progress=progress,
        )
        return f"{headlines(result)}\nReport: {self.avatar / 'report.html'}"
