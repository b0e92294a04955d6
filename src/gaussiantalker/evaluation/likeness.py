"""Metrics of likeness: whether the renderings look like the person (CSIM) and like pictures of this video (FID)."""

import numpy as np

from gaussiantalker.capture.arrays import spread
from gaussiantalker.evaluation.faces import Track
from gaussiantalker.evaluation.fid import FEATURES, Inception, frechet_distance
from gaussiantalker.evaluation.held_out import Reference, Rendering, network, shared
from gaussiantalker.evaluation.metric import Metric
from gaussiantalker.evaluation.pictures import FACE_BOX, head_box
from gaussiantalker.evaluation.record import NotMeasured, Score
from gaussiantalker.perception.identity import Identity


def _csim(rendering: Rendering) -> Score:
    """Mean cosine of identity embeddings of truth and render."""
    both = np.flatnonzero(rendering.found)
    if not len(both):
        raise NotMeasured("no frame has a face in both")
    identity = network(rendering.reference, Identity)
    rendering.progress.stage("comparing identities", len(both))

    def embedding(pictures: np.ndarray, track: Track, k: int) -> np.ndarray:
        return identity.embedding(pictures[k], track.points[k])

    values, truth = [], rendering.reference
    for k in map(int, both):
        true = embedding(truth.images, truth.track, k)
        values.append(float(true @ embedding(rendering.images, rendering.track, k)))
        rendering.progress.update(len(values))
    return Score(float(np.mean(values)), len(values))


def _fid(rendering: Rendering) -> Score:
    truth = _true_features(rendering.reference)
    n = len(truth)
    note = f"biased upwards: {n} frames are fewer than {FEATURES}" if n < FEATURES else ""
    return Score(frechet_distance(truth, _features(rendering.reference, rendering.images)), n, note)


@shared
def _true_features(reference: Reference) -> np.ndarray:
    return _features(reference, reference.images)


def _features(reference: Reference, pictures: np.ndarray) -> np.ndarray:  # [k, 2048]
    """Of the heads' boxes, in as many frames as are wanted."""
    chosen = spread(len(reference), reference.inputs.fid_frames)
    boxes = [(k, box) for k in chosen if (box := head_box(reference.labels[k])) is not None]
    if len(boxes) < 2:
        raise NotMeasured("fewer than two frames with a head")
    inception, rows = network(reference, Inception), []
    reference.progress.stage("features for FID", len(boxes))
    for k, box in boxes:
        rows.append(inception.features(pictures[k][box]))
        reference.progress.update(len(rows))
    return np.stack(rows)


_SFACE = "SFace (OpenCV model zoo, 2021-12), aligned by five landmarks"
METRICS = (
    Metric("csim", "CSIM", _csim, "", "higher", "face", _SFACE, "time"),
    Metric("fid", "FID, face", _fid, "", "lower", FACE_BOX, "Inception 2015, 2048 features", "time"),
)
