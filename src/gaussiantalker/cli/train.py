"""The verb `train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gaussiantalker.cli.options import Device, Folder, OptionalFolder, OptionalName, quoted
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Train:
    """Train an avatar on a capture, in the paper's two stages: the head itself, then how sound moves it.

    Ctrl-C saves what is trained so far; the same command goes on from there.
    """

    capture: Folder
    """A folder written by `gaussiantalker capture`."""
    out: OptionalFolder = None
    """Folder of the avatar (default: avatars/NAME-OF-THE-CAPTURE)."""
    method: str = "mouth-code"
    """`mouth-code` is ours; or a paper's model."""
    schedule: str = "demo"
    """How long: `demo` takes minutes on a CPU, as it says beforehand, `fast` one at 128 pixels; `standard` is as long
    as the paper and for a GPU."""
    seed: int = 0
    """The same seed on the same machine gives the same avatar."""
    lookahead: Literal[80, 120, 140, 280] | None = None
    """Milliseconds of speech to come that move the mouth: 140 (default) or 80; of a paper's model 280 or 120. Less
    makes a live avatar answer sooner, with poorer lips."""
    encoder: OptionalName = None
    """Who listens: `whisper`, `whisper-early`, `whisper-multilingual`, `logmel`, `phones`, `hubert` or `wav2vec2`
    (default: what suits the method)."""
    strategy: str = "clone-split-prune"
    """How Gaussians become more and fewer: `clone-split-prune` or `markov-chain`."""
    device: Device = "auto"

    @property
    def folder(self) -> Path:
        return self.out or Path("avatars") / self.capture.resolve().name

    @property
    def when_stopped(self) -> str:
        return f"Stopped; what is trained so far is kept in {self.folder}: run the same command again to go on."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.training import train

        options = {"method": self.method, "schedule": self.schedule, "seed": self.seed, "device": self.device}
        options |= {"encoder": self.encoder, "strategy": self.strategy, "lookahead_ms": self.lookahead}
        train(self.capture, self.folder, **options, progress=progress)
        return f"Trained: {self.folder}\nNext: gaussiantalker speak {quoted(self.folder)} AUDIO --out speaks.mp4"
