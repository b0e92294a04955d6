"""How far the face's action units are from the true ones: AUE by OpenFace's tables, and a proxy that always runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.action_units import intensities, read_units, unit_error
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.record import Measured, not_measured

PARTS = ("lower", "upper")
_MODEL = "OpenFace, paired by row, no row left out"
_ASK = "needs OpenFace: run its FeatureExtraction on truth.mp4 and render.mp4, then --openface TRUTH.csv RENDER.csv"
_PROXY = "expression scores stand in for OpenFace's action units: not comparable with the papers' AUE"


@dataclass(frozen=True)
class OpenFace:
    """What OpenFace saw in the held-out frames: intensities [n, units] of each part of the face."""

    truth: dict[str, np.ndarray]
    render: dict[str, np.ndarray]

    @classmethod
    def read(cls, paths: Sequence[str | Path], capture: Capture) -> "OpenFace":
        """From its tables of truth and render; that of the truth may be of the whole captured video.

        Raises GaussianTalkerError when a table does not fit the held-out frames.
        """
        truth, render = (read_units(path) for path in paths)
        if len(truth["upper"]) == capture.frames:
            truth = {part: values[capture.train_frames :] for part, values in truth.items()}
        n = capture.frames - capture.train_frames
        for path, table in zip(paths, (truth, render), strict=True):
            if len(table["upper"]) != n:
                raise GaussianTalkerError(
                    f"{path} has {len(table['upper'])} rows for {n} held-out frames: "
                    "run OpenFace on truth.mp4 and render.mp4 of this avatar's folder."
                )
        return cls(truth, render)


def unit_scores(held: HeldOut, openface: OpenFace | None) -> dict[str, Measured]:
    """AUE of lower face, upper face and both, and the same by proxies."""
    return _aue(openface) | _proxies(held)


def _aue(openface: OpenFace | None) -> dict[str, Measured]:
    labels = {part: f"AUE, {part} face" for part in PARTS} | {"both": "AUE"}
    keys = {"lower": "aue_lower", "upper": "aue_upper", "both": "aue"}
    if openface is None:
        return {keys[part]: not_measured(label, _ASK, better="lower") for part, label in labels.items()}
    errors = {part: unit_error(openface.truth[part], openface.render[part]) for part in PARTS}
    errors["both"] = errors["lower"] + errors["upper"]
    n = len(openface.render["lower"])
    regions = {part: f"{part} face" for part in PARTS} | {"both": "17 action units"}
    return {keys[p]: Measured(labels[p], errors[p], "", "lower", regions[p], _MODEL, n) for p in labels}


def _proxies(held: HeldOut) -> dict[str, Measured]:
    both = held.truth_track.found & held.render_track.found
    scores = {}
    for part in PARTS:
        label = f"AU-proxy error, {part} face"
        if not both.any():
            scores[f"au_proxy_{part}"] = not_measured(label, "no frame has a face in both", better="lower")
            continue
        seen = (
            intensities(track.blendshapes[both], part == "upper") for track in (held.truth_track, held.render_track)
        )
        model = "52 expression scores of the tracker"
        error = unit_error(*seen)
        scores[f"au_proxy_{part}"] = Measured(label, error, "", "lower", f"{part} face", model, int(both.sum()), _PROXY)
    return scores
