"""Mouths that a user brings: a table of scores, or what the tracker saw of another person's."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.tables import read_table
from gaussiantalker.talker import Listener, MouthListener
from gaussiantalker.talker.mouth_code import SCORES, MouthCode, tracked_scores
from gaussiantalker.talker.mouth_listener import MouthTrack

_WIDEST = 8.0  # deviations: no mouth was seen further from rest


def dubbed(listener: Listener, path: str | Path) -> MouthTrack:
    """A listener that hears what a file says of the mouth, whatever the sound.

    A `.csv` (first line: names) or `.npz` file holds at 25 a second some of the scores of the avatar's mouth code by
    their names, as `capture` measures them; the others go along as this person's usually do. A capture's folder lends
    its person's mouth: as far as it moves in their measure, so far it moves in this person's.

    Raises:
        GaussianTalkerError: an avatar without a mouth code, no such file, another format, or no score that it knows.
    """
    path, listener = Path(path), _with_code(listener)
    if not path.exists():
        raise GaussianTalkerError(f"{path} does not exist: give a .csv or .npz file of a mouth's scores, or a capture.")
    if path.is_dir():
        codes = _bounded(_of_capture(path, listener.code), path)
    else:
        columns = read_table(path, "name the columns in the first line, or the arrays of an .npz")
        codes = _complete(listener.code, columns, path)
    return MouthTrack(listener.encoder, listener.silent_row, listener.code, listener.reader, listener.lips_late, codes)


def held(listener: Listener, scores: Mapping[str, float]) -> np.ndarray:
    """The mouth code [C] of some scores by their names; the others go along as this person's usually do.

    Raises:
        GaussianTalkerError: an avatar without a mouth code, a name that is no score's, no score that it knows, or one
            that is not finite.
    """
    listener = _with_code(listener)
    if unknown := sorted(set(scores) - {*SCORES, *NAMES}):
        raise GaussianTalkerError(f"There is no score {unknown[0]!r}: give some of {', '.join(listener.code.names)}.")
    return _complete(listener.code, {name: np.array([value], float) for name, value in scores.items()}, "The mouth")[0]


def scores_of(listener: Listener) -> list[str]:
    """Names of the scores that move its mouth; none without a mouth code."""
    return list(listener.code.names) if isinstance(listener, MouthListener) else []


def _with_code(listener: Listener) -> MouthListener:
    if not isinstance(listener, MouthListener):
        raise GaussianTalkerError("This avatar has no mouth code: train one with the method mouth-code.")
    return listener


def _complete(code: MouthCode, scores: Mapping[str, np.ndarray], what: str | Path) -> np.ndarray:
    """Codes [N, C] of some scores by name, each [N]."""
    finite = all(np.isfinite(column).all() for column in scores.values())
    return _bounded(code.complete(scores) if finite else np.zeros(0), what)


def _bounded(codes: np.ndarray, what: str | Path) -> np.ndarray:
    """Codes as far from rest as any mouth was seen. Raises GaussianTalkerError where some are not finite."""
    if not len(codes) or not np.isfinite(codes).all():
        raise GaussianTalkerError(f"{what} holds values that are not finite: every frame needs all its scores.")
    return codes.clip(-_WIDEST, _WIDEST)


def _of_capture(path: Path, code: MouthCode) -> np.ndarray:
    from gaussiantalker.capture import Capture

    capture = Capture.load(path)
    scores = tracked_scores(capture.tracking)
    theirs = MouthCode.measure(scores[capture.tracking.found], np.ones(int(capture.tracking.found.sum()), bool))
    codes = theirs.encode(scores)
    given = {name: codes[:, number] for number, name in enumerate(theirs.names)}
    return code.complete({name: code.scores(name, values) for name, values in given.items() if name in code.names})
