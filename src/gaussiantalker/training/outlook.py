"""What a training that runs lets people see: how long it will take, and now and then what it has learnt."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gaussiantalker.media.image import write_image
from gaussiantalker.media.outputs import MARK
from gaussiantalker.progress import Progress
from gaussiantalker.training.trainer import Trainer

PICTURE = "preview.png"
PICTURE_SECONDS = 120  # of training between a picture and the next
WARM_UP, TIMED = 5, 10  # steps, the first of which compile and fill caches


class Outlook:
    """Called after every step: tells the time that training takes, as its first steps did, and tells it anew when the
    second stage has begun; writes pictures of three frames, the truth above, into `path`, until `end`."""

    def __init__(self, path: Path, progress: Progress, then: Callable[[Trainer], None]):
        self.path, self.progress, self.then = path, progress, then
        self.stage, self.began, self.seconds, self.shown = -1, 0, 0.0, math.nan

    def __call__(self, trainer: Trainer) -> None:
        if trainer.stage != self.stage:
            self.stage, self.began = trainer.stage, trainer.step
        since = trainer.step - self.began
        if since == WARM_UP:
            self.seconds = trainer.seconds
        elif since == WARM_UP + TIMED and trainer.stage < 2:  # the finish goes on as the second stage went
            self._tell(trainer, (trainer.seconds - self.seconds) / TIMED)
        if math.isnan(self.shown):
            self.shown = trainer.seconds
        if trainer.seconds - self.shown >= PICTURE_SECONDS:
            self.shown = trainer.seconds
            write_image(self.path, _look(trainer), MARK)
        self.then(trainer)

    def end(self) -> None:
        """The finished avatar shows itself better."""
        self.path.unlink(missing_ok=True)

    def _tell(self, trainer: Trainer, step: float) -> None:
        left, later = step * (trainer.steps[trainer.stage] - trainer.step), sum(trainer.steps[trainer.stage + 1 :])
        left += later * (step if trainer.stage else trainer.time_deformation())
        where = f"; every {_spoken(PICTURE_SECONDS)} {self.path} shows what is learnt" if left > PICTURE_SECONDS else ""
        self.progress.note(f"About {_spoken(left)} of training are left on this machine{where}.")


def _look(trainer: Trainer) -> np.ndarray:
    """Three training frames, the mouth most closed, usual and widest, uint8 [2 H, 3 W, 3]: truth above render."""
    footage, frames = trainer.footage, trainer.frames
    order = frames[np.argsort(footage.capture.tracking.lip_opening[frames])]
    chosen = order[[0, len(order) // 2, -1]]
    render = (trainer.pictures(chosen).clamp(0, 1) * 255).round().byte().cpu().numpy()
    return np.concatenate([np.concatenate(list(row), axis=1) for row in (footage.capture.images[chosen], render)])


def _spoken(seconds: float) -> str:
    """`40 seconds`, `25 minutes` or `3 hours`, no more exact than a forecast is."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(10 * round(seconds / 10), 10)} seconds"
