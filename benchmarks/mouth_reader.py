"""What a person's mouth reader hears, before any picture: blind in the training frames, and on the held-out ones.

python benchmarks/mouth_reader.py CAPTURE ...
"""

import sys
from pathlib import Path

import numpy as np

from gaussiantalker import speech
from gaussiantalker.capture import Capture
from gaussiantalker.talker.footage import usable
from gaussiantalker.talker.mouth_listener import LOOKAHEADS_MS
from gaussiantalker.training.reading import ENCODER, learn_to_read


def row(capture: Capture, lookahead_ms: int) -> str:
    """The held-out lip opening as read against as tracked: r, range, and what is taken back of the film's own lag."""
    first = capture.train_frames
    reading = learn_to_read(speech.load(ENCODER), capture, usable(capture.tracking, 0, first), lookahead_ms)
    held = usable(capture.tracking, first, capture.frames)
    listener = reading.listener
    read, seen = listener.hear_film(capture.audio)[held], reading.tracked.numpy()[held]
    agreement = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(read.T, seen.T, strict=True)]
    return (
        f"| {capture.path.name} | {lookahead_ms} ms, {listener.lookahead / 16:.0f} ms live | {len(held)} | "
        f"{agreement[0]:.3f} | {read[:, 0].std() / seen[:, 0].std():.2f} | {np.mean(agreement):.2f} | "
        f"{listener.lips_late / 16:.0f} ms |"
    )


def main() -> None:
    write = sys.stdout.write
    write("| capture | look-ahead | held-out frames | r, lips | range | mean r, code | lips late |\n")
    write("|---|---|---|---|---|---|---|\n")
    for folder in sys.argv[1:]:
        for lookahead_ms in LOOKAHEADS_MS:
            write(row(Capture.load(Path(folder)), lookahead_ms) + "\n")


if __name__ == "__main__":
    main()
