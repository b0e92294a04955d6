"""How well an avatar's lips follow speech that it never heard, in any language: the sync score of each sound.

python benchmarks/languages.py AUDIO ... --avatars AVATAR ... [--seconds 10]
"""

import sys
from pathlib import Path

import numpy as np
import tyro

from gaussiantalker.capture import Capture
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.evaluation.held_out import Inputs, Reference, Rendering
from gaussiantalker.evaluation.metrics import measure
from gaussiantalker.evaluation.phones import Transcript
from gaussiantalker.media.audio import read_audio
from gaussiantalker.progress import SILENT
from gaussiantalker.speaking import Avatar
from gaussiantalker.timing import SAMPLE_RATE

KEYS = {
    "sync, r": "driven_sync_correlation",
    "lag, ms": "driven_sync_lag",
    "motion in silence": "driven_silence_motion",
}


def main(audio: tyro.conf.Positional[tuple[Path, ...]], avatars: tuple[Path, ...], seconds: float = 10) -> None:
    """One row for each avatar and sound, of its first seconds."""
    sys.stdout.write(f"| avatar | sound | {' | '.join(KEYS)} |\n|{'---|' * (2 + len(KEYS))}\n")
    detector = Landmarker()
    for folder in avatars:
        avatar = Avatar.load(folder)
        capture = Capture.load(folder / avatar.info["capture"])
        for path in audio:
            sound = read_audio(path, whole=True)[: round(seconds * SAMPLE_RATE)]
            inputs = Inputs(audio=sound, audio_phones=Transcript([], ""))
            reference = Reference(capture, inputs, lambda: detector, SILENT)
            found = measure(Rendering(avatar, folder, reference, np.zeros(0, np.uint8)), tuple(KEYS.values())).values()
            cells = " | ".join("–" if one.value is None else f"{one.value:.2f}" for one in found)
            sys.stdout.write(f"| {folder.parent.name} | {path.name} | {cells} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    tyro.cli(main)
