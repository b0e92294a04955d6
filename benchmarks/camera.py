"""What a camera that moves costs an avatar: a still film beside the same film under a virtual camera of a known path.

    python benchmarks/camera.py samples/speaker.mp4 --out films
    python benchmarks/real.py films/still.mp4 films/moving.mp4 --out moving

Both films show the middle of CLIP; the second zooms from 1 to 1.4 and back, pans, and trembles as a hand does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import tyro
from scipy.ndimage import gaussian_filter1d

from gaussiantalker.media.audio import read_audio
from gaussiantalker.media.video import read_frames, write_video

SHARE = 0.86  # of the film's width that is seen at zoom 1


@dataclass
class Options:
    clip: tyro.conf.Positional[Path]
    """A film with sound from a camera on a stand."""
    out: Path = Path("films")
    seconds: float = 24.0
    zoom: float = 1.4
    pan: float = 20.0
    """Pixels of the film to either side."""
    shake: float = 2.0
    """Pixels of the film, standard deviation."""


def path(options: Options, count: int) -> np.ndarray:
    """Zoom, shift to the right and down in pixels, and roll in radians of each picture [count, 4]."""
    time, noise = np.linspace(0, 1, count), np.random.default_rng(0).normal(size=(3, count))
    tremble = gaussian_filter1d(noise, 4, axis=1, mode="wrap")
    x, y, roll = tremble / tremble.std(axis=1, keepdims=True)
    zoom = 1 + (options.zoom - 1) * (0.5 - 0.5 * np.cos(2 * np.pi * time))
    return np.stack([zoom, options.pan * np.sin(8 * time) + options.shake * x, options.shake * y, 0.005 * roll], axis=1)


def seen(pictures: Iterator[np.ndarray], way: np.ndarray) -> Iterator[np.ndarray]:
    """The pictures [H, W, 3] through a camera on this way, square."""
    for picture, (zoom, right, down, roll) in zip(pictures, way, strict=True):
        size = 2 * int(SHARE * min(picture.shape[:2]) / 2)
        middle = (picture.shape[1] / 2 + right, picture.shape[0] / 2 + down)
        matrix = cv2.getRotationMatrix2D(middle, np.degrees(roll), zoom)
        matrix[:, 2] += size / 2 - np.array(middle)
        yield cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_CUBIC)


def main(options: Options) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    count, sound = int(options.seconds * 25), read_audio(options.clip)
    still = np.tile([1.0, 0, 0, 0], (count, 1))
    for name, way in (("still", still), ("moving", path(options, count))):
        write_video(options.out / f"{name}.mp4", seen(islice(read_frames(options.clip), count), way), sound, crf=12)


if __name__ == "__main__":
    main(tyro.cli(Options))
