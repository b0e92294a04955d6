"""How well the held-out mouth and face move."""

from collections.abc import Callable, Iterator

import numpy as np

from gaussiantalker import speech
from gaussiantalker.evaluation.faces import Detector, Track, mouth_distance, track
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.phones import SHUT, Transcript, closure, closures, recognised, widest
from gaussiantalker.evaluation.record import Better, Measured, not_measured
from gaussiantalker.evaluation.sync import FEWEST, Expectation, correlation, lag, silence_ratio
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.timing import SAMPLE_RATE, SAMPLES_PER_FRAME, frame_count

TRACKER = "MediaPipe face landmarker, 478 points"
LIPS = "middle of the inner lips, over the distance of the outer eye corners"
LONGEST_DRIVING = 20 * SAMPLE_RATE  # samples of other sound that are looked at
STILL = f"fewer than {FEWEST} frames with a face, or a mouth that does not move"
GUESSES = "compare with the true video's"
NO_PEAK = "the correlation has no peak of at least 0.3 within 0.4 s"


def mouth_scores(held: HeldOut, lip_mm: np.ndarray | None) -> dict[str, Measured]:
    """Scores against the true frames and, with `lip_mm` [n], against the exact opening of a generated speaker."""
    truth, render = held.truth_track, held.render_track
    scores = {
        "faces_missed": Measured(
            "Frames without a detected face",
            float((~render.found).sum()),
            "frames",
            "lower",
            "",
            TRACKER,
            len(held),
            f"{(~truth.found).sum()} in the true video",
        )
    }
    scores |= _distance_scores(truth, render)
    scores |= _opening_scores("lip", "the true video's", render.lip_opening, truth.lip_opening)
    scores["lip_range"] = _range_score(render.lip_opening, truth.lip_opening)
    blinks = correlation(render.blink, truth.blink)
    label, n = "Blinks against the true video's", int((render.found & truth.found).sum())
    scores["blink_correlation"] = (
        not_measured(label, STILL, "r", "higher")
        if blinks is None
        else Measured(label, blinks, "r", "higher", "mean blink score of both eyes", TRACKER, n)
    )
    if lip_mm is None:
        reason = "no exact lip opening was given (--truth)"
        scores["lip_exact_correlation"] = not_measured("Lip opening against the exact one", reason, "r", "higher")
    else:
        scores |= _opening_scores("lip_exact", "the exact one", render.lip_opening, lip_mm)
    return scores


def _distance_scores(truth: Track, render: Track) -> dict[str, Measured]:
    distance = mouth_distance(truth, render)
    relative = distance / truth.unit
    both = np.isfinite(distance)
    labels = {
        "lmd": ("LMD", distance, "px", "20 mouth points, each frame's mean removed"),
        "lmd_relative": (
            "LMD over inter-ocular distance",
            relative * 100,
            "%",
            "20 mouth points, each frame's mean removed",
        ),
    }
    if not both.any():
        return {
            key: not_measured(label, "no frame has a face in both", unit) for key, (label, _, unit, _) in labels.items()
        }
    n = int(both.sum())
    return {
        key: Measured(label, float(values[both].mean()), unit, "lower", region, TRACKER, n)
        for key, (label, values, unit, region) in labels.items()
    }


def _opening_scores(key: str, against: str, opening: np.ndarray, reference: np.ndarray) -> dict[str, Measured]:
    label = f"Lip opening against {against}"
    n = int((np.isfinite(opening) & np.isfinite(reference)).sum())
    return {
        f"{key}_correlation": _measured(label, correlation(opening, reference), "r", "higher", n, STILL),
        f"{key}_lag": _lag(f"{label}, lag", opening, reference, n),
    }


def _range_score(opening: np.ndarray, reference: np.ndarray) -> Measured:
    """How far the lips move, whatever they follow: a mouth that is never sure opens less than the true one."""
    both = np.isfinite(opening) & np.isfinite(reference)
    enough = both.sum() >= FEWEST and reference[both].std() > 0
    share = float(opening[both].std() / reference[both].std()) if enough else None
    return _measured("Range of the lip opening", share, "of the true video's", "", int(both.sum()), STILL)


def expectation_of(held: HeldOut) -> Expectation:
    """What sound lets one expect of this person's lips, learnt from the frames the avatar was trained on too."""
    capture, first = held.capture, held.first
    windows = sound_windows(capture.audio[: first * SAMPLES_PER_FRAME])[:first]
    opening = np.where(capture.tracking.found, capture.tracking.lip_opening, np.nan)[: len(windows)]
    return Expectation.fit(windows, opening)


def sound_windows(audio: np.ndarray) -> np.ndarray:  # [F, 16, 80]
    """Log-mel windows about each frame: no pretrained network, so the judge does not share the avatar's ear."""
    return speech.windows(speech.load("logmel").features(audio))


def held_out_sync(held: HeldOut, expectation: Expectation) -> dict[str, Measured]:
    """The sync score on held-out speech, and the mouth in silence."""
    expected = expectation.of(sound_windows(held.audio))
    own = correlation(held.truth_track.lip_opening, expected)
    note = "the true video scores " + ("nothing measurable" if own is None else f"{own:.3f}")
    return sync_scores("", "held-out speech", held.render_track.lip_opening, held.audio, expected, note)


def sync_scores(
    key: str, where: str, opening: np.ndarray, audio: np.ndarray, expected: np.ndarray, note: str = ""
) -> dict[str, Measured]:
    """Agreement of an opening [n] with what `audio` [640 n] lets one expect, and how it rests in silence."""
    n = int(np.isfinite(opening).sum())
    label = f"Sync score, {where}"
    scores = {
        f"{key}sync_correlation": _measured(label, correlation(opening, expected), "r", "higher", n, STILL, note),
        f"{key}sync_lag": _lag(f"{label}, lag", opening, expected, n),
    }
    ratio = silence_ratio(opening, speech.voiced(audio)[: len(opening)])
    names = {"silence_motion": "Mouth motion in silence", "silence_opening": "Mouth opening in silence"}
    for index, (name, title) in enumerate(names.items()):
        title = f"{title}, {where}"
        if ratio is None:
            scores[key + name] = not_measured(title, "too few silent frames", "of that in speech", "lower")
        else:
            scores[key + name] = Measured(title, ratio[index], "of that in speech", "lower", LIPS, TRACKER, ratio[2])
    return scores


def driven_scores(
    avatar: Avatar,
    driving: np.ndarray | None,
    transcript: Transcript | None,
    expectation: Expectation,
    detector: Callable[[], Detector],
    progress: Progress,
) -> dict[str, Measured]:
    """The same on sound [S] that is in neither part of the capture; nothing without it."""
    if driving is None:
        return {}
    progress.stage("speaking other audio", frame_count(len(driving)))

    def pictures() -> Iterator[np.ndarray]:
        for frame in avatar.speak(driving):
            yield frame.image
            progress.update(frame.index + 1)

    opening = track(pictures(), detector()).lip_opening
    scores = sync_scores("driven_", "other audio", opening, driving, expectation.of(sound_windows(driving)))
    return scores | phone_scores("driven_", "other audio", opening, transcript or recognised(driving, progress))


def phone_scores(
    key: str,
    where: str,
    opening: np.ndarray,
    transcript: Transcript,
    wide: float | None = None,
    shut: np.ndarray | None = None,
) -> dict[str, Measured]:
    """Whether an opening [n] shuts for b, m, p and in pauses: how far, over its widest in open vowels, and how surely,
    against where the mouth should be shut, bool [n], and the widest opening `wide` it is held against (its own, and in
    b, m, p, where they are not given)."""
    phones, unit = transcript.phones, "of that in open vowels"
    reason = "too few of the phones that shut and open a mouth" if phones else "the phones are not known"
    note = f"phones are guesses by {transcript.source}: {GUESSES}" if transcript.guessed else ""
    depth = closure(opening, phones)
    least, resting, n = depth or (None, None, 0)
    own = widest(opening, phones) if wide is None else wide
    sure = closures(opening, phones, own, shut)
    f1, auc, events, frames = (sure.f1, sure.auc, sure.events, sure.frames) if sure else (None, None, 0, 0)
    told = f"recall {sure.recall:.2f}, precision {sure.precision:.2f}; {note}".removesuffix("; ") if sure else ""
    rows: list[tuple[str, str, float | None, str, Better, int, str]] = [
        ("closure", "Mouth opening in b, m, p", least, unit, "lower", n, note),
        ("pause_opening", "Mouth opening in pauses", resting, unit, "lower", n, note),
        ("closure_f1", "Closures in b, m, p, F1", f1, "", "higher", events, told),
        ("closure_auc", "Shut frames of speech, AUC", auc, "", "higher", frames, note),
    ]
    return {
        f"{key}{name}": _measured(f"{label}, {where}", value, unit, better, count, reason, said)
        for name, label, value, unit, better, count, said in rows
    }


def held_out_phones(held: HeldOut, transcript: Transcript, lip_mm: np.ndarray | None) -> dict[str, Measured]:
    """The same for the held-out frames of render and true video, against the exact opening [n] where it is known, else
    against the true video's."""
    truth, phones = held.truth_track.lip_opening, transcript.phones
    wide, exact = widest(truth, phones), truth if lip_mm is None else lip_mm
    with np.errstate(invalid="ignore"):
        shut = exact < SHUT * widest(exact, phones)
    scores = phone_scores("true_", "the true video", truth, transcript, wide, shut)
    if lip_mm is None:
        for key in ("true_closure_f1", "true_closure_auc"):
            scores[key] = not_measured(scores[key].label, "its lips, as tracked, are the reference", better="higher")
    return phone_scores("", "held-out speech", held.render_track.lip_opening, transcript, wide, shut) | scores


def _lag(label: str, opening: np.ndarray, reference: np.ndarray, n: int) -> Measured:
    seconds = lag(opening, reference)
    note = "positive: the lips come late"
    return _measured(label, None if seconds is None else seconds * 1000, "ms", "", n, NO_PEAK, note)


def _measured(
    label: str, value: float | None, unit: str, better: Better, n: int, reason: str, note: str = ""
) -> Measured:
    if value is None or not np.isfinite(value):
        return not_measured(label, reason, unit, better)
    return Measured(label, value, unit, better, LIPS, TRACKER, n, note)
