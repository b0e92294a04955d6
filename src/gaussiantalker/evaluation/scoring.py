"""Just the numbers that a table asks for, of one avatar: what nobody asks for is not measured."""

import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.evaluation.faces import Detector, Track
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.likeness_scores import Crowds, csim
from gaussiantalker.evaluation.mouth_scores import driven_scores, expectation_of, held_out_sync, mouth_scores
from gaussiantalker.evaluation.picture_scores import lpips_scores, pixel_scores
from gaussiantalker.evaluation.record import Measured
from gaussiantalker.evaluation.speed import Stopwatch
from gaussiantalker.evaluation.syncnet_scores import syncnet_scores
from gaussiantalker.evaluation.unit_scores import unit_scores
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar

Scores = dict[str, Measured]


@dataclass(frozen=True)
class Materials:
    """What a measurement can use besides avatar and capture."""

    driving: np.ndarray | None = None  # [S] sound that is not in the capture
    driving_name: str = ""
    syncnet: Path | None = None


@dataclass
class Bench:
    """Measures one avatar after another on the same held-out frames, whose truth is tracked once."""

    capture: Capture
    detector: Callable[[], Detector]
    materials: Materials
    progress: Progress
    crowds: Crowds
    truth_track: Track | None = None
    device: str = "auto"

    def measure(self, folder: Path, keys: Collection[str]) -> Scores:
        """The numbers of these keys that an avatar's folder can have; others that come with them are dropped."""
        avatar = Avatar.load(folder, self.progress, self.device)
        with tempfile.TemporaryDirectory() as scratch:
            held = HeldOut.render(
                avatar, self.capture, self.detector, Path(scratch), self.progress, truth_track=self.truth_track
            )
            self.truth_track = held.truth_track
            scores: Scores = {}
            for group, made in self._groups(avatar, held).items():
                if set(group) & set(keys):
                    scores |= made()
        return {key: scores[key] for key in keys if key in scores}

    def _groups(self, avatar: Avatar, held: HeldOut) -> dict[tuple[str, ...], Callable[[], Scores]]:
        """How the keys are measured that belong together."""
        progress, driving = self.progress, self.materials.driving
        return {
            ("psnr_head", "psnr_whole", "ssim_head", "ssim_whole"): lambda: pixel_scores(held, progress)[0],
            ("lpips_alex",): lambda: lpips_scores(held, ("lpips_alex",), progress),
            ("lpips_whole",): lambda: lpips_scores(held, ("lpips_whole",), progress),
            ("fid",): lambda: {"fid": self.crowds.fid(held)},
            ("csim",): lambda: {"csim": csim(held, progress)},
            ("lmd", "lmd_relative", "lip_correlation", "blink_correlation"): lambda: mouth_scores(held, None),
            ("aue", "au_proxy_lower", "au_proxy_upper"): lambda: unit_scores(held, None),
            ("lse_c", "lse_d"): lambda: syncnet_scores(held, self.materials.syncnet, progress),
            ("sync_correlation",): lambda: held_out_sync(held, expectation_of(held)),
            ("driven_sync_correlation", "driven_silence_motion"): lambda: driven_scores(
                avatar, driving, None, expectation_of(held), self.detector, progress
            ),
            ("frames_per_cpu_second",): lambda: _speed(avatar, held.audio),
        }


def _speed(avatar: Avatar, audio: np.ndarray) -> Scores:
    watch = Stopwatch(clock=time.process_time)
    for _ in watch.watch(avatar.speak(audio)):
        pass
    label, note = "Pictures per second of processor time", "sound to picture, offline; not slowed by other programs"
    return {
        "frames_per_cpu_second": Measured(label, watch.per_second, "fps", "higher", n=len(watch.counted), note=note)
    }
