"""LSE-C, LSE-D and offset of the held-out frames, when the user has SyncNet's weights."""

from pathlib import Path

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.record import Better, Measured, not_measured
from gaussiantalker.evaluation.syncnet import SyncNet
from gaussiantalker.progress import Progress

_WITHOUT = "no package ships SyncNet's weights; bring syncnet_v2.model and give it with --syncnet"
_MODEL = "SyncNet v2, face boxes from the landmarker"
_KINDS: dict[str, tuple[str, str, str, Better]] = {
    "lse_c": ("LSE-C", "confidence", "", "higher"),
    "lse_d": ("LSE-D", "distance", "", "lower"),
    "lse_offset": ("LSE offset", "offset", "frames", ""),
}


def syncnet_scores(held: HeldOut, weights: Path | None, progress: Progress) -> dict[str, Measured]:
    """The render's three numbers with the true video's beside them. Raises GaussianTalkerError for wrong weights."""
    if weights is None:
        return _missing(_WITHOUT)
    net = SyncNet.load(weights)
    progress.stage("SyncNet", 2)
    try:
        truth = net.score(held.truth, held.truth_track, held.audio)
        progress.update(1)
        render = net.score(held.renders, held.render_track, held.audio)
        progress.update(2)
    except GaussianTalkerError as error:
        return _missing(str(error))
    return {
        key: Measured(
            label,
            float(getattr(render, name)),
            unit,
            better,
            "mouth",
            _MODEL,
            len(held),
            f"the true video scores {getattr(truth, name):.3g}",
        )
        for key, (label, name, unit, better) in _KINDS.items()
    }


def _missing(reason: str) -> dict[str, Measured]:
    return {key: not_measured(label, reason, unit, better) for key, (label, _, unit, better) in _KINDS.items()}
