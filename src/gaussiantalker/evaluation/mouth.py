"""Metrics of the mouth and the eyes: how well they move, against the true video and against what is heard."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from gaussiantalker import speech
from gaussiantalker.capture.face_track import mouth_distance, track_faces
from gaussiantalker.evaluation.held_out import Reference, Rendering, shared
from gaussiantalker.evaluation.metric import Metric
from gaussiantalker.evaluation.phones import SHUT, Closures, Transcript, closure, closures, recognised, widest
from gaussiantalker.evaluation.record import Better, NotMeasured, Score, given
from gaussiantalker.evaluation.sync import FEWEST, Expectation, correlation, lag, silence_ratio
from gaussiantalker.talker.mouth_code import STILL
from gaussiantalker.timing import SAMPLE_RATE, SAMPLES_PER_FRAME, frame_count

_TRACKER = "MediaPipe face landmarker, 478 points"
_LIPS = "middle of the inner lips, over the distance of the outer eye corners"
_POINTS = "20 mouth points, each frame's mean removed"
LONGEST_AUDIO = 20 * SAMPLE_RATE  # samples of other sound that are looked at
_STILL = f"fewer than {FEWEST} frames with a face, or a mouth that does not move"
_GUESSES = "compare with the true video's"
_Pair = Callable[[Rendering], tuple[np.ndarray, np.ndarray]]  # the render's and what it is held against, both [n]


@dataclass(frozen=True)
class _Speech:
    """A mouth that speaks, over n frames."""

    opening: np.ndarray  # [n] of its lips
    audio: np.ndarray  # [640 n]
    expected: np.ndarray  # [n] the opening that the sound lets one expect
    transcript: Transcript
    wide: float | None = None  # the widest opening it is held against, where that is not its own
    shut: np.ndarray | None = None  # bool [n] where it should be shut, where that is not in every b, m and p


@shared
def _expectation_of(reference: Reference) -> Expectation:
    """What sound lets one expect of this person's lips, learnt from the frames the avatar was trained on too."""
    capture, first = reference.capture, reference.first
    windows = _sound_windows(capture.audio[: first * SAMPLES_PER_FRAME])[:first]
    opening = np.where(capture.tracking.found, capture.tracking.lip_opening, np.nan)[: len(windows)]
    return Expectation.fit(windows, opening)


def _sound_windows(audio: np.ndarray) -> np.ndarray:  # [F, 16, 80]
    """Log-mel windows about each frame: no pretrained network, so the judge does not share the avatar's ear."""
    return speech.windows(speech.load("logmel").features(audio))


@shared
def _held_out_speech(reference: Reference) -> _Speech:
    """The true video's own mouth in the held-out frames, to be shut where the exact one is, or else where it is."""
    phones, opening = reference.transcript.phones, reference.track.lip_opening
    exact = opening if reference.lip_mm is None else reference.lip_mm
    with np.errstate(invalid="ignore"):
        shut = exact < SHUT * widest(exact, phones)
    expected = _expectation_of(reference).of(_sound_windows(reference.audio))
    return _Speech(opening, reference.audio, expected, reference.transcript, widest(opening, phones), shut)


@shared
def rendered_speech(rendering: Rendering) -> _Speech:
    """The avatar's mouth under the same sound, held against the true one's."""
    true = _held_out_speech(rendering.reference)
    return _Speech(rendering.track.lip_opening, true.audio, true.expected, true.transcript, true.wide, true.shut)


@shared
def _other_speech(rendering: Rendering) -> _Speech:
    """The avatar's mouth under sound that is in neither part of the capture."""
    audio, progress = given(rendering.inputs.audio), rendering.progress
    progress.stage("speaking other audio", frame_count(len(audio)))

    def pictures() -> Iterator[np.ndarray]:
        for frame in rendering.avatar.speak(audio):
            yield given(frame.image)
            progress.update(frame.index + 1)

    opening = track_faces(pictures(), rendering.reference.detector()).lip_opening
    expected = _expectation_of(rendering.reference).of(_sound_windows(audio))
    return _Speech(opening, audio, expected, rendering.inputs.audio_phones or recognised(audio, progress))


def _correlation(rendering: Rendering, pair: _Pair) -> Score:
    a, b = pair(rendering)
    r = correlation(a, b)
    if r is None:
        raise NotMeasured(_STILL)
    return Score(r, int((np.isfinite(a) & np.isfinite(b)).sum()))


def _lag(rendering: Rendering, pair: _Pair) -> Score:
    a, b = pair(rendering)
    seconds = lag(a, b)
    if seconds is None:
        raise NotMeasured("the correlation has no peak of at least 0.3 within 0.4 s")
    return Score(seconds * 1000, int((np.isfinite(a) & np.isfinite(b)).sum()), "positive: the lips come late")


def _openings(rendering: Rendering) -> tuple[np.ndarray, np.ndarray]:
    return rendering.track.lip_opening, rendering.reference.track.lip_opening


def _moving_lips(rendering: Rendering) -> tuple[np.ndarray, np.ndarray]:
    """The openings. Raises NotMeasured where the true mouth does not move."""
    pair = _openings(rendering)
    _seen_moving(*pair)
    return pair


def _seen_moving(opening: np.ndarray, reference: np.ndarray) -> np.ndarray:  # bool [N]
    """Frames with a face in both. Raises NotMeasured where the true mouth moves less in them than the tracker's own
    tremble, which it would be no merit to follow."""
    both = np.isfinite(opening) & np.isfinite(reference)
    if both.sum() < FEWEST or reference[both].std() < STILL:
        raise NotMeasured(_STILL)
    return both


def _exact(rendering: Rendering) -> tuple[np.ndarray, np.ndarray]:
    return rendering.track.lip_opening, given(rendering.reference.lip_mm)


def _blinks(rendering: Rendering) -> tuple[np.ndarray, np.ndarray]:
    return rendering.track.blink, rendering.reference.track.blink


def _range(opening: np.ndarray, reference: np.ndarray) -> Score:
    """How far the lips move, whatever they follow: a mouth that is never sure opens less than the true one."""
    both = _seen_moving(opening, reference)
    return Score(float(opening[both].std() / reference[both].std()), int(both.sum()))


def _distance(rendering: Rendering) -> Score:
    return _over_faces(rendering, mouth_distance(rendering.reference.track, rendering.track))


def _relative_distance(rendering: Rendering) -> Score:
    truth = rendering.reference.track
    return _over_faces(rendering, mouth_distance(truth, rendering.track) / truth.unit * 100)


def _over_faces(rendering: Rendering, values: np.ndarray) -> Score:
    """Mean over the frames with a face in both."""
    found = rendering.found
    if not found.any():
        raise NotMeasured("no frame has a face in both")
    return Score(float(values[found].mean()), int(found.sum()))


def _missed(rendering: Rendering) -> Score:
    missed, true = ((~found).sum() for found in (rendering.track.found, rendering.reference.track.found))
    return Score(float(missed), len(rendering), f"{true} in the true video")


def _silence(rendering: Rendering, of: Callable[[Rendering], _Speech], index: int) -> Score:
    said = of(rendering)
    ratio = silence_ratio(said.opening, speech.voiced(said.audio)[: len(said.opening)])
    if ratio is None:
        raise NotMeasured("too few silent frames")
    return Score(ratio[index], ratio[2])


def _closure(rendering: Rendering, of: Callable[[Rendering], _Speech], index: int) -> Score:
    said = of(rendering)
    found = closure(said.opening, said.transcript.phones)
    if found is None or not np.isfinite(found[index]):
        raise _unknown(said)
    return Score(found[index], found[2], _origin(said))


def _f1(rendering: Rendering, of: Callable[[Rendering], _Speech]) -> Score:
    said = of(rendering)
    found = _closures(said)
    told = f"recall {found.recall:.2f}, precision {found.precision:.2f}; {_origin(said)}"
    return Score(found.f1, found.events, told.removesuffix("; "))


def _auc(rendering: Rendering, of: Callable[[Rendering], _Speech]) -> Score:
    said = of(rendering)
    found = _closures(said)
    if not np.isfinite(found.auc):
        raise _unknown(said)
    return Score(found.auc, found.frames, _origin(said))


def _closures(said: _Speech) -> Closures:
    phones = said.transcript.phones
    found = closures(said.opening, phones, said.wide or widest(said.opening, phones), said.shut)
    if found is None:
        raise _unknown(said)
    return found


def _unknown(said: _Speech) -> NotMeasured:
    known = bool(said.transcript.phones)
    return NotMeasured("too few of the phones that shut and open a mouth" if known else "the phones are not known")


def _origin(said: _Speech) -> str:
    """A warning where nobody knows the phones."""
    return f"phones are guesses by {said.transcript.source}: {_GUESSES}" if said.transcript.guessed else ""


def _of_lips(
    key: str, label: str, measure: Callable[[Rendering], Score], unit: str, better: Better, needs: str = ""
) -> Metric:
    return Metric(key, label, measure, unit, better, _LIPS, _TRACKER, needs)


def _speech_metrics(prefix: str, where: str, of: Callable[[Rendering], _Speech], need: str, judge: str) -> list[Metric]:
    """The metrics that need no true picture, of speech that needs `need`; F1 and AUC need `judge` as well."""

    def expected(rendering: Rendering) -> tuple[np.ndarray, np.ndarray]:
        said = of(rendering)
        return said.opening, said.expected

    def metric(
        key: str, label: str, measure: Callable[[Rendering], Score], unit: str, better: Better, needs: str = need
    ) -> Metric:
        return _of_lips(f"{prefix}{key}", f"{label}, {where}", measure, unit, better, needs)

    in_speech, in_vowels = "of that in speech", "of that in open vowels"
    return [
        metric("sync_correlation", "Sync score", partial(_correlation, pair=expected), "r", "higher"),
        metric("sync_lag", "Sync score, lag", partial(_lag, pair=expected), "ms", ""),
        metric("silence_motion", "Mouth motion in silence", partial(_silence, of=of, index=0), in_speech, "lower"),
        metric("silence_opening", "Mouth opening in silence", partial(_silence, of=of, index=1), in_speech, "lower"),
        metric("closure", "Mouth opening in b, m, p", partial(_closure, of=of, index=0), in_vowels, "lower"),
        metric("pause_opening", "Mouth opening in pauses", partial(_closure, of=of, index=1), in_vowels, "lower"),
        metric("closure_f1", "Closures in b, m, p, F1", partial(_f1, of=of), "", "higher", judge),
        metric("closure_auc", "Shut frames of speech, AUC", partial(_auc, of=of), "", "higher", judge),
    ]


_TRUE, _EXACT = "Lip opening against the true video's", "Lip opening against the exact one"
METRICS = (
    Metric("faces_missed", "Frames without a detected face", _missed, "frames", "lower", "", _TRACKER),
    Metric("lmd", "LMD", _distance, "px", "lower", _POINTS, _TRACKER),
    Metric("lmd_relative", "LMD over inter-ocular distance", _relative_distance, "%", "lower", _POINTS, _TRACKER),
    _of_lips("lip_correlation", _TRUE, partial(_correlation, pair=_moving_lips), "r", "higher"),
    _of_lips("lip_lag", f"{_TRUE}, lag", partial(_lag, pair=_moving_lips), "ms", ""),
    _of_lips("lip_exact_correlation", _EXACT, partial(_correlation, pair=_exact), "r", "higher", "truth"),
    _of_lips("lip_exact_lag", f"{_EXACT}, lag", partial(_lag, pair=_exact), "ms", "", "truth"),
    _of_lips("lip_range", "Range of the lip opening", lambda it: _range(*_openings(it)), "of the true video's", ""),
    Metric(
        "blink_correlation",
        "Blinks against the true video's",
        partial(_correlation, pair=_blinks),
        "r",
        "higher",
        "mean blink score of both eyes",
        _TRACKER,
    ),
    *_speech_metrics("", "held-out speech", rendered_speech, "", ""),
    *_speech_metrics("true_", "the true video", lambda it: _held_out_speech(it.reference), "", "truth"),
    *_speech_metrics("driven_", "other audio", _other_speech, "audio", "audio"),
)
