"""Whether the held-out renderings look like the person and like pictures of this video: CSIM and FID."""

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.fid import FEATURES, Inception, frechet_distance
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.identity import Identity
from gaussiantalker.evaluation.picture_scores import FACE_BOX, head_box
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
    return {"csim": _csim(held, progress), "fid": _fid(held, progress)}


def _csim(held: HeldOut, progress: Progress) -> Measured:
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


def _fid(held: HeldOut, progress: Progress) -> Measured:
    boxes = [(k, box) for k in range(len(held)) if (box := head_box(held.labels[k])) is not None]
    if len(boxes) < 2:
        return not_measured(_FID, "fewer than two frames with a head", better="lower")
    try:
        inception = Inception(progress)
    except GaussianTalkerError as error:
        return not_measured(_FID, str(error), better="lower")
    progress.stage("features for FID", 2 * len(boxes))
    features = []
    for pictures in (held.truth, held.renders):
        rows = []
        for k, box in boxes:
            rows.append(inception.features(pictures[k][box]))
            progress.update(len(features) * len(boxes) + len(rows))
        features.append(np.stack(rows))
    note = f"biased upwards: {len(boxes)} frames are fewer than {FEATURES}" if len(boxes) < FEATURES else ""
    value = frechet_distance(*features)
    return Measured(_FID, value, "", "lower", FACE_BOX, "Inception 2015, 2048 features", len(boxes), note)
