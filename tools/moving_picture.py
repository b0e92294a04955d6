"""Some seconds of a film as an animated picture for a page.

The README's, after `make demo`: `python tools/moving_picture.py demo/speaks.mp4 docs/speaks.webp 0.5 8`.
"""

import argparse
from itertools import islice

from PIL import Image

from gaussiantalker.media.video import read_frames
from gaussiantalker.timing import FPS

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("film")
    parser.add_argument("out")
    parser.add_argument("begin", type=float, nargs="?", default=0.0)
    parser.add_argument("seconds", type=float, nargs="?", default=5.0)
    given = parser.parse_args()
    first = round(given.begin * FPS)
    first, *rest = map(Image.fromarray, islice(read_frames(given.film), first, first + round(given.seconds * FPS)))
    first.save(given.out, save_all=True, append_images=rest, duration=1000 // FPS, loop=0, quality=70, method=6)
