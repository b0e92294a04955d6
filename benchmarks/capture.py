"""Cost and quality of capture on a clip: time of each stage, peak memory, jitter, and errors where truth is known.

Time is told twice: on the wall, and of the processor (all threads), which other programs on the machine change less.
Two cores in real time are 40 ms on the wall, and at most 80 of the processor.

    python benchmarks/capture.py VIDEO [VIDEO ...] [--size 256] [--truth TRUTH.npz]

Each clip is captured in a fresh process into a temporary folder, so that peak memory is its own. The truth is that of
a synthetic speaker: head2world, world2cam, lip_mm, blink and gaze, per frame.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from gaussiantalker.capture import Capture, capture
from gaussiantalker.capture.head_fit import fit_head
from gaussiantalker.capture.morphable import load_head
from gaussiantalker.capture.pose import FilmedHead


@dataclass
class Options:
    videos: tyro.conf.Positional[tuple[Path, ...]]
    """Clips to capture."""
    size: int = 256
    """Side of the pictures, in pixels."""
    truth: Path | None = None
    """Exact truth of the (only) clip."""
    measure: bool = False
    """For the fresh processes: capture the one clip now and print what was measured as JSON."""


class Stopwatch:
    """A progress listener that takes each stage's time on the wall and of the processor, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, np.ndarray] = {}
        self._name, self._start = "before the first", self._now()

    @staticmethod
    def _now() -> np.ndarray:
        return np.array([time.perf_counter(), time.process_time()])

    def stage(self, name: str, total: int) -> None:
        now = self._now()
        self.seconds[self._name] = self.seconds.get(self._name, 0) + now - self._start
        self._name, self._start = name, now

    def update(self, done: int, **numbers: float) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def measure(video: Path, size: int, truth: Path | None) -> dict[str, str | float]:
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        result = capture(video, Path(folder) / "capture", size=size, progress=watch)
        watch.stage("", 0)
        facts = result.record["stages"]["tracking"]["facts"]
        spent = {name: 1000 * seconds / result.frames for name, seconds in watch.seconds.items()}
        slowest = max(spent, key=lambda name: spent[name][1])
        row = {f"{name}, ms": f"{wall:.1f} ({processor:.1f})" for name, (wall, processor) in spent.items()}
        row["all, ms a frame on the wall (processor)"] = "{:.1f} ({:.1f})".format(*sum(spent.values()))
        row["holds it back"] = slowest
        row["frames"] = result.frames
        row["frames without a face"] = len(facts["missing_frames"])
        row["peak memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row["landmark jitter, px"] = facts["landmark_jitter_px"]["smoothed"]
        row["head jitter, degrees"] = facts["pose_jitter"]["degrees"]
        row["landmarks against the rigid face, px"] = facts["reprojection_px"]
        row["landmarks against the moving head, px"] = result.record["stages"]["head"]["facts"]["reprojection_px"]
        row["two halves' heads apart, eye distances"] = halves_apart(result)
        row["starting points"] = len(result.tracking.points)
        if truth is not None:
            row |= against_truth(result, truth)
    return row


def against_truth(result: Capture, path: Path) -> dict[str, float]:
    """Rotation errors after the constant turn between two definitions of a head's axes; correlations of signals."""
    tracking = result.tracking
    with np.load(path) as truth:
        count = min(result.frames, len(truth["head2world"]))
        flip = np.diag([1.0, -1.0, -1.0])
        rotations = truth["world2cam"][:3, :3] @ truth["head2world"][:count, :3, :3] @ flip
        lips, blink = truth["lip_mm"][:count], truth["blink"][:count]
        # Theirs are radians to the person's left and up.
        gaze = -np.degrees(truth["gaze"][:count])
    relative = Rotation.from_matrix(np.swapaxes(tracking.rotations[:count], 1, 2) @ rotations)
    error = np.degrees((relative.mean().inv() * relative).magnitude())
    eyes = {"both eyes": tracking.blink, "right": tracking.blink_right, "left": tracking.blink_left}
    return {
        "rotation error, median degrees": float(np.median(error)),
        "rotation error, 95 % degrees": float(np.percentile(error, 95)),
        "head jitter of the truth, degrees": _bend(rotations),
        "head jitter of ours, measured alike": _bend(tracking.rotations[:count]),
        "lip opening, correlation": float(np.corrcoef(tracking.lip_opening[:count], lips)[0, 1]),
        **{
            f"blink {name}, correlation": float(np.corrcoef(signal[:count], blink)[0, 1])
            for name, signal in eyes.items()
        },
        "gaze sideways, correlation": float(np.corrcoef(tracking.gaze[:count, 0], gaze[:, 0])[0, 1]),
        "gaze up and down, correlation": float(np.corrcoef(tracking.gaze[:count, 1], gaze[:, 1])[0, 1]),
        "gaze error, median degrees": float(np.median(np.abs(tracking.gaze[:count] - gaze))),
    }


def halves_apart(result: Capture) -> float:
    """Root mean square distance between the heads fitted to the first and to the second half of a clip."""
    tracking, head, shapes = result.tracking, load_head(), []
    for part in np.array_split(np.arange(result.frames), 2):
        poses = tracking.rotations[part], tracking.translations[part]
        motion = FilmedHead(result.camera.focal, tracking.vertices, *poses, np.zeros(len(part)))
        seen = (values[part] for values in (tracking.landmarks, tracking.blendshapes, tracking.found))
        shapes.append(fit_head(head, motion, *seen, result.size).neutral)
    return float(np.sqrt(((shapes[0] - shapes[1]) ** 2).sum(-1).mean()))


def _bend(rotations: np.ndarray) -> float:
    """Median change of the turn from frame to frame, in degrees."""
    turns = Rotation.from_matrix(np.swapaxes(rotations[:-1], 1, 2) @ rotations[1:]).as_rotvec(degrees=True)
    return float(np.median(np.linalg.norm(np.diff(turns, axis=0), axis=1)))


def _told(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    console = Console()
    if options.measure:
        sys.stdout.write(json.dumps(measure(options.videos[0], options.size, options.truth)) + "\n")
        return
    rows = {}
    for video in options.videos:
        command = [sys.executable, __file__, str(video), "--size", str(options.size), "--measure"]
        command += ["--truth", str(options.truth)] if options.truth else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows[video.stem] = json.loads(done.stdout.splitlines()[-1])
    table = Table("", *rows, title=f"capture at {options.size} pixels")
    for name in dict.fromkeys(key for row in rows.values() for key in row):
        table.add_row(name, *(_told(row.get(name, "")) for row in rows.values()))
    console.print(table)


if __name__ == "__main__":
    main()
