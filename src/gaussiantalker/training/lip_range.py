"""How far an avatar's lips move, against the person's own.

What is read from speech is unsure, and pictures of a wide mouth are learnt from few frames: both take some of the
range. So the reader's codes are drawn out until rendered lips, tracked as the person's were, move as far as theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.capture.arrays import spread
from gaussiantalker.capture.face_track import track_faces
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.talker.mouth_listener import MouthTrack
from gaussiantalker.talker.mouth_reader import drawn_out
from gaussiantalker.training.lip_lag import SURE
from gaussiantalker.training.reading import Reading

_FRAMES = 100  # of the training frames, evenly chosen: a deviation within a fourteenth
WIDEST = 1.3  # codes drawn out further than this took rendered lips away from the true ones (docs/training.md)


@dataclass(frozen=True)
class LipRange:
    """Measures it on the training frames, with what is read in them by readers that did not know them."""

    capture: Capture
    reading: Reading
    detector: Landmarker

    def code_gain(self, avatar: Avatar, progress: Progress) -> float:
        """How far codes are to be drawn out, 1 to WIDEST, for the avatar's lips to move as far as the person's; 1 where
        hardly a face is found, or sound tells little of the lips: drawn out, a guess is further from the truth.
        Interpolated between pictures of codes as they are and of the widest."""
        codes = self.reading.blind[:, 0], self.reading.tracked.numpy()[self.reading.frames, 0]
        read, seen = (code - code.mean() for code in codes)
        if read @ seen < SURE * np.linalg.norm(read) * np.linalg.norm(seen):
            return 1.0
        chosen = self.reading.frames[spread(len(self.reading.frames), _FRAMES)]
        progress.stage("range of the lips", 3)
        true = track_faces(self.capture.images[chosen], self.detector).lip_opening
        progress.update(1)

        def moves(gain: float) -> float:
            rendered = replace(avatar, listener=self._blind(gain)).render_capture(self.capture, chosen.tolist())
            opening = track_faces(rendered, self.detector).lip_opening
            progress.update(2)
            both = np.isfinite(true) & np.isfinite(opening)
            return float(opening[both].std() / true[both].std()) if both.mean() > 0.5 else 1.0

        gain = _matched(moves)
        progress.update(3)
        return gain

    def _blind(self, gain: float) -> MouthTrack:
        ear, codes = self.reading.listener, self.reading.tracked.numpy().copy()
        codes[self.reading.frames] = drawn_out(self.reading.blind, gain)
        return MouthTrack(ear.encoder, ear.silent_row, ear.code, ear.reader, 0, codes)


def _matched(moves: Callable[[float], float]) -> float:
    """The gain from 1 to WIDEST at which something that grows with it is 1."""
    own = moves(1.0)
    if own >= 1:
        return 1.0
    widest = moves(WIDEST)
    if widest <= 1:
        return WIDEST
    return 1 + (WIDEST - 1) * (1 - own) / (widest - own)
