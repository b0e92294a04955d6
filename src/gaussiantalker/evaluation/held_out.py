"""The part of a capture that an avatar was not trained on, beside what the avatar makes of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.faces import Detector, Track, track
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME


@dataclass(frozen=True)
class HeldOut:
    """n consecutive frames: the truth, the avatar's rendering under the same sound, pose and blink, both tracked."""

    capture: Capture
    first: int  # frame of the capture
    renders: np.ndarray  # uint8 [n, H, W, 3]
    truth_track: Track
    render_track: Track
    own_torso: bool = False  # whether torso and background are the avatar's too, or the true video's

    def __len__(self) -> int:
        return len(self.renders)

    @property
    def frames(self) -> slice:
        return slice(self.first, self.first + len(self))

    @property
    def truth(self) -> np.ndarray:  # uint8 [n, H, W, 3]
        return self.capture.images[self.frames]

    @property
    def labels(self) -> np.ndarray:  # uint8 [n, H, W]
        return self.capture.labels[self.frames]

    @property
    def audio(self) -> np.ndarray:  # float32 [640 n]
        samples = self.capture.audio[self.first * SAMPLES_PER_FRAME : self.frames.stop * SAMPLES_PER_FRAME]
        return np.pad(samples, (0, len(self) * SAMPLES_PER_FRAME - len(samples)))

    @classmethod
    def render(
        cls,
        avatar: Avatar,
        capture: Capture,
        detector: Callable[[], Detector],
        folder: Path,
        progress: Progress,
        truth_track: Track | None = None,
    ) -> "HeldOut":
        """Renders and tracks. Pictures go to a memory map in `folder`, so that a long capture needs no more memory.

        `truth_track` is what an earlier call found in the true frames, which need not be tracked again.

        Raises GaussianTalkerError when the capture is too short to have held-out frames.
        """
        first, stop = capture.train_frames, capture.frames
        if stop - first < 2:
            raise GaussianTalkerError(
                f"{capture.path} has {capture.frames / FPS:.1f} s, too little to keep a part for testing: "
                "capture a video of at least one minute."
            )
        shape = (stop - first, *capture.images.shape[1:])
        renders = np.lib.format.open_memmap(folder / "renders.npy", mode="w+", dtype=np.uint8, shape=shape)
        progress.stage("rendering held-out frames", len(renders))
        for k, picture in enumerate(avatar.render_capture(capture, range(first, stop))):
            renders[k] = picture
            progress.update(k + 1)
        if truth_track is None:
            progress.stage("tracking the truth", len(renders))
            truth_track = track(_counted(capture.images[first:stop], progress), detector())
        progress.stage("tracking the render", len(renders))
        render_track = track(_counted(renders, progress), detector())
        return cls(capture, first, renders, truth_track, render_track, avatar.torso is not None)


def _counted(pictures: np.ndarray, progress: Progress) -> Iterator[np.ndarray]:
    for k, picture in enumerate(pictures):
        yield np.ascontiguousarray(picture)
        progress.update(k + 1)
