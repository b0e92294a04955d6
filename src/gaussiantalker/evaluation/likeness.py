"""Metrics of likeness: whether the renderings look like the person (CSIM) and like pictures of this video (FID)."""

import numpy as np
import torch
from torch.nn import functional as F

from gaussiantalker import pretrained
from gaussiantalker.capture.arrays import spread
from gaussiantalker.capture.face_track import FaceTrack
from gaussiantalker.evaluation.held_out import Reference, Rendering, network, shared
from gaussiantalker.evaluation.metric import Metric
from gaussiantalker.evaluation.pictures import FACE_BOX, head_box
from gaussiantalker.evaluation.record import NotMeasured, Score
from gaussiantalker.perception.identity import Identity
from gaussiantalker.progress import SILENT, Progress

_FEATURES = 2048  # with fewer frames the covariances are rank-deficient and the value is biased upwards
_SIDE = 299


def _csim(rendering: Rendering) -> Score:
    """Mean cosine of identity embeddings of truth and render."""
    both = np.flatnonzero(rendering.found)
    if not len(both):
        raise NotMeasured("no frame has a face in both")
    identity = network(rendering.reference, Identity)
    rendering.progress.stage("comparing identities", len(both))

    def embedding(pictures: np.ndarray, track: FaceTrack, k: int) -> np.ndarray:
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
    note = f"biased upwards: {n} frames are fewer than {_FEATURES}" if n < _FEATURES else ""
    return Score(_frechet_distance(truth, _features(rendering.reference, rendering.images)), n, note)


@shared
def _true_features(reference: Reference) -> np.ndarray:
    return _features(reference, reference.images)


def _features(reference: Reference, pictures: np.ndarray) -> np.ndarray:  # [k, 2048]
    """Of the heads' boxes, in as many frames as are wanted."""
    chosen = spread(len(reference), reference.inputs.fid_frames)
    boxes = [(k, box) for k in chosen if (box := head_box(reference.labels[k])) is not None]
    if len(boxes) < 2:
        raise NotMeasured("fewer than two frames with a head")
    inception, rows = network(reference, _Inception), []
    reference.progress.stage("features for FID", len(boxes))
    for k, box in boxes:
        rows.append(inception.features(pictures[k][box]))
        reference.progress.update(len(rows))
    return np.stack(rows)


class _Inception:
    """The network of the original implementation, as TorchScript, up to its last pooling."""

    def __init__(self, progress: Progress = SILENT) -> None:
        """Raises GaussianTalkerError when the network cannot be had."""
        self._network = torch.jit.load(pretrained.path("inception-2015", progress), map_location="cpu").eval()

    @torch.inference_mode()
    def features(self, picture: np.ndarray) -> np.ndarray:  # [2048]
        """Of a uint8 picture [H, W, 3], resized to 299 pixels without smoothing, as the original does."""
        x = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
        x = F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        return self._network((x - 128) / 128)[0].double().numpy()


def _frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|m_a - m_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^1/2) of the normal distributions fitted to rows [n, D] and [m, D].

    With centred rows A and B over the roots of n-1 and m-1, the trace of the root is the sum of the singular values
    of A B^T: exact, and small where there are fewer rows than features.
    """
    centred = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    cross = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum(float(np.square(x).sum()) for x in centred)
    return max(0.0, float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + spread - 2 * cross))


_SFACE = "SFace (OpenCV model zoo, 2021-12), aligned by five landmarks"
METRICS = (
    Metric("csim", "CSIM", _csim, "", "higher", "face", _SFACE, "time"),
    Metric("fid", "FID, face", _fid, "", "lower", FACE_BOX, "Inception 2015, 2048 features", "time"),
)
