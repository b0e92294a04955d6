"""Metrics of action units: how far the face's are from the true ones, by OpenFace's tables or by a proxy."""

from functools import partial

from gaussiantalker.evaluation.action_units import intensities, unit_error
from gaussiantalker.evaluation.held_out import Rendering
from gaussiantalker.evaluation.metric import Metric
from gaussiantalker.evaluation.record import NotMeasured, Score, given

_PARTS = ("lower", "upper")
_PROXY = "expression scores stand in for OpenFace's action units: not comparable with the papers' AUE"


def _aue(rendering: Rendering, parts: tuple[str, ...]) -> Score:
    seen = given(rendering.inputs.openface)
    return Score(sum(unit_error(seen.truth[part], seen.render[part]) for part in parts), len(seen.render["lower"]))


def _proxy(rendering: Rendering, part: str) -> Score:
    both = rendering.found
    if not both.any():
        raise NotMeasured("no frame has a face in both")
    tracks = rendering.reference.track, rendering.track
    error = unit_error(*(intensities(track.blendshapes[both], part == "upper") for track in tracks))
    return Score(error, int(both.sum()), _PROXY)


_OPENFACE = "OpenFace, paired by row, no row left out"
METRICS = (
    *(
        Metric(key, label, partial(_aue, parts=parts), "", "lower", region, _OPENFACE, "openface")
        for key, label, region, parts in (
            ("aue_lower", "AUE, lower face", "lower face", ("lower",)),
            ("aue_upper", "AUE, upper face", "upper face", ("upper",)),
            ("aue", "AUE", "17 action units", _PARTS),
        )
    ),
    *(
        Metric(
            f"au_proxy_{part}",
            f"AU-proxy error, {part} face",
            partial(_proxy, part=part),
            "",
            "lower",
            f"{part} face",
            "52 expression scores of the tracker",
        )
        for part in _PARTS
    ),
)
