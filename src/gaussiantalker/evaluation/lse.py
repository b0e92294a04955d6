"""Metrics by SyncNet: LSE-C, LSE-D and offset of the held-out frames, when the user has its weights."""

from functools import partial

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.held_out import Rendering, shared
from gaussiantalker.evaluation.metric import Metric
from gaussiantalker.evaluation.record import Better, NotMeasured, Score, given
from gaussiantalker.evaluation.syncnet import SyncScore


@shared
def _sync_scores(rendering: Rendering) -> tuple[SyncScore, SyncScore]:
    """The true video's and the render's."""
    net, truth = given(rendering.inputs.syncnet), rendering.reference
    rendering.progress.stage("SyncNet", 2)
    try:
        true = net.score(truth.images, truth.track, truth.audio)
        rendering.progress.update(1)
        return true, net.score(rendering.images, rendering.track, truth.audio)
    except GaussianTalkerError as error:
        raise NotMeasured(str(error)) from None


def _lse(rendering: Rendering, name: str) -> Score:
    truth, render = (float(getattr(score, name)) for score in _sync_scores(rendering))
    return Score(render, len(rendering), f"the true video scores {truth:.3g}")


def _metric(key: str, label: str, name: str, unit: str, better: Better) -> Metric:
    measure = partial(_lse, name=name)
    return Metric(key, label, measure, unit, better, "mouth", "SyncNet v2, face boxes from the landmarker", "syncnet")


METRICS = (
    _metric("lse_c", "LSE-C", "confidence", "", "higher"),
    _metric("lse_d", "LSE-D", "distance", "", "lower"),
    _metric("lse_offset", "LSE offset", "offset", "frames", ""),
)
