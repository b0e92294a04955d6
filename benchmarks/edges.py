"""Minutes of speech and steering at the edges: whether anything of an avatar ever flies off.

    python benchmarks/edges.py AVATAR SOUND [SOUND ...] [--minutes 10] [--sheet edges.png]

Every two seconds yaw, pitch, roll, blink and articulation jump to other ends of what live steering can ask for, through
the live stream without its clock. Tells how far Gaussians come from their places at rest and from the middle of the
head, and shows the frames in which they come farthest.
"""

import asyncio
import heapq
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console

from gaussiantalker.media.audio import read_audio
from gaussiantalker.media.image import write_image
from gaussiantalker.speaking import Avatar, AvatarStream, Steering
from gaussiantalker.speaking.director import steering_limit
from gaussiantalker.speaking.motion import ARTICULATION_LIMIT
from gaussiantalker.talker import BakedTalker, Drive
from gaussiantalker.talker.talker import Splats
from gaussiantalker.timing import FPS, SAMPLE_RATE

EVERY = 2 * FPS  # frames between jumps
ROWS, COLUMNS = 3, 6  # of the sheet


@dataclass
class Options:
    avatar: tyro.conf.Positional[Path]
    """Folder of a baked avatar."""
    sounds: tyro.conf.Positional[tuple[Path, ...]]
    """What it says, over and over."""
    minutes: int = 10
    sheet: Path = Path("edges.png")
    """Where to write the frames that go farthest."""


class Watched:
    """A baked head that notes, of each frame, the farthest ways of its Gaussians, in head units."""

    def __init__(self, head: BakedTalker):
        self.head, self.sh_degree, self.device = head, head.sh_degree, head.device
        self.rest = head.blendshapes.means
        self.ways: list[tuple[float, float]] = []  # from rest, and from the middle

    def deform(self, drive: Drive) -> Splats:
        splats = self.head.deform(drive)
        means = splats.means[:, : len(self.rest)]
        moved = (means - self.rest).norm(dim=-1).amax(dim=1)
        out = (means - self.rest.mean(dim=0)).norm(dim=-1).amax(dim=1)
        self.ways += zip(moved.tolist(), out.tolist(), strict=True)
        return splats


async def spoken(avatar: Avatar, options: Options) -> tuple[int, list[tuple[float, int, np.ndarray]]]:
    """Frames that were shown, and those in which something goes farthest, with how far and when."""
    steering, rng = Steering(), np.random.default_rng(0)
    stream, watched = AvatarStream(avatar, steering, realtime=False), avatar.renderer.head
    sounds, farthest = [read_audio(path) for path in options.sounds], []
    count, limit = options.minutes * 60 * FPS, steering_limit(free=True)
    for frame in range(count):
        if frame % EVERY == 0:
            steering.yaw, steering.pitch, steering.roll = rng.choice([-limit, 0, limit], 3).tolist()
            steering.blink = float(rng.integers(2))
            steering.articulation = ARTICULATION_LIMIT * float(rng.integers(2))
        if stream.buffered < 5:
            stream.push_audio(sounds[rng.integers(len(sounds))][: 60 * SAMPLE_RATE])
        image = (await anext(stream)).image
        heapq.heappush(farthest, (watched.ways[frame][0], frame, image))
        if len(farthest) > ROWS * COLUMNS:
            heapq.heappop(farthest)
    stream.close()
    return count, sorted(farthest, key=lambda one: one[1])


def main(options: Options) -> None:
    avatar = Avatar.load(options.avatar)
    head = avatar.renderer.head
    assert isinstance(head, BakedTalker)
    watched = Watched(head)
    vars(avatar)["renderer"] = replace(avatar.renderer, head=watched)
    count, farthest = asyncio.run(spoken(avatar, options))
    moved, out = np.array(watched.ways[:count]).T
    rest = float((watched.rest - watched.rest.mean(dim=0)).norm(dim=-1).max())
    Console().print(
        f"{count:,} frames: Gaussians move by {np.median(moved):.2f} head units at most in half of them, "
        f"{moved.max():.2f} in the worst; the farthest is {out.max():.2f} from the middle, {rest:.2f} at rest."
    )
    pictures = [image for _, _, image in farthest]
    rows = [np.concatenate(pictures[row * COLUMNS : (row + 1) * COLUMNS], axis=1) for row in range(ROWS)]
    write_image(options.sheet, np.concatenate(rows))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
