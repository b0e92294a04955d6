"""Whether the held-out renderings look like the person and like pictures of this video: CSIM and FID."""

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.fid import FEATURES, Inception, frechet_distance
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.identity import Identity
from gaussiantalker.evaluation.picture_scores import FACE_BOX, Box, head_box, spread
from gaussiantalker.evaluation.record import Measured, not_measured
from gaussiantalker.progress import Progress

_CSIM, _FID = "CSIM", "FID, face"
_LEFT_OUT = "left out of the quick evaluation; run: gaussiantalker evaluate AVATAR"


def likeness_scores(held: HeldOut, quick: bool, progress: Progress) -> dict[str, Measured]:
    """Both scores; `quick` leaves them out, for their networks are 126 MB and take minutes on a processor."""
    if quick:
        return {
            "csim": not_measured(_CSIM, _LEFT_OUT, better="higher"),
            "fid": not_measured(_FID, _LEFT_OUT, better="lower"),
        }
    return {"csim": csim(held, progress), "fid": Crowds(len(held), progress).fid(held)}


def csim(held: HeldOut, progress: Progress) -> Measured:
    """Mean cosine of identity embeddings of truth and render."""
    both = np.flatnonzero(held.truth_track.found & held.render_track.found)
    if not len(both):
        return not_measured(_CSIM, "no frame has a face in both", better="higher")
    try:
        identity = Identity(progress)
    except GaussianTalkerError as error:
        return not_measured(_CSIM, str(error), better="higher")
    progress.stage("comparing identities", len(both))
    values = []
    for done, k in enumerate(both):
        truth = identity.embedding(held.truth[k], held.truth_track.points[k])
        values.append(float(truth @ identity.embedding(held.renders[k], held.render_track.points[k])))
        progress.update(done + 1)
    model = "SFace (OpenCV model zoo, 2021-12), aligned by five landmarks"
    return Measured(_CSIM, float(np.mean(values)), "", "higher", "face", model, len(values))


class Crowds:
    """FID of one avatar after another against the same true faces, whose features are found once."""

    def __init__(self, most: int, progress: Progress) -> None:
        """At most `most` frames are looked at."""
        self._most, self._progress = most, progress
        self._inception: Inception | None = None
        self._truth: np.ndarray | None = None

    def fid(self, held: HeldOut) -> Measured:
        boxes = [(k, box) for k in spread(len(held), self._most) if (box := head_box(held.labels[k])) is not None]
        if len(boxes) < 2:
            return not_measured(_FID, "fewer than two frames with a head", better="lower")
        try:
            self._inception = self._inception or Inception(self._progress)
        except GaussianTalkerError as error:
            return not_measured(_FID, str(error), better="lower")
        if self._truth is None:
            self._truth = self._features("features of the truth for FID", held.truth, boxes)
        value = frechet_distance(self._truth, self._features("features of the render for FID", held.renders, boxes))
        note = f"biased upwards: {len(boxes)} frames are fewer than {FEATURES}" if len(boxes) < FEATURES else ""
        return Measured(_FID, value, "", "lower", FACE_BOX, "Inception 2015, 2048 features", len(boxes), note)

    def _features(self, stage: str, pictures: np.ndarray, boxes: list[tuple[int, Box]]) -> np.ndarray:
        self._progress.stage(stage, len(boxes))
        rows = []
        for k, box in boxes:
            rows.append(self._inception.features(pictures[k][box]))
            self._progress.update(len(rows))
        return np.stack(rows)
