"""Says in words how good a capture is, and what would make it better."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gaussiantalker.capture.sync import Lag
from gaussiantalker.timing import FPS, clock

Level = Literal["good", "limit", "problem"]
_SHORT, _ENOUGH = 30, 120  # seconds
_IN_STEP = 2.0  # frames by which sound and lips may be apart: 80 ms, which few people notice
_FACES_IN_SQUARE = 2.4  # heights of a face, as captures were framed that do not tell
_LEAST_SOURCE = 0.9  # pixels of the film for one of the capture
_MOST_LOOSE = 0.006  # of the square's side: how far parts of a scene may be off after it was steadied
_MOST_HIDDEN = 0.3  # of the frames
_AGREE = 0.2  # correlation of sound and lips below which nothing can be told


@dataclass(frozen=True)
class _Finding:
    """One thing about a capture: what was measured, and what to do about it."""

    level: Level
    text: str


def judge(
    facts: dict[str, dict[str, Any]], lip_opening: np.ndarray, voiced: float | None, lag: Lag | None = None
) -> tuple[str, list[_Finding]]:
    """An overall sentence and the findings behind it.

    `facts` are those of the stages in capture.json; `voiced` is the share of frames with speech, None without sound;
    `lag` is None where it cannot be told.
    """
    ingest, tracking = facts["ingest"], facts["tracking"]
    findings = [
        _length(ingest["frames"] / FPS),
        _speech(lip_opening, voiced),
        _step(lag, facts.get("sync", {}).get("shifted_frames", [])),
        _sound_length(ingest),
        _bridged(ingest.get("bridged", [])),
        _missing(tracking["missing_frames"], ingest["frames"], ingest.get("cut", [])),
        _hidden(tracking.get("hidden_frames", []), ingest["frames"]),
        _turns(tracking["yaw_pitch_roll_ranges"]),
        _steadiness(tracking, ingest["frames"]),
        _eyes(tracking),
        _resolution(ingest, tracking["camera"]["width"]),
        _camera(ingest.get("camera", {}), ingest["crop"][2]),
        _turned(ingest.get("turned_degrees", [])),
        _kept(ingest),
        _framing(facts["labels"]["mean_shares"]),
        _company(ingest.get("other_people", 0)),
    ]
    kept = [finding for finding in findings if finding is not None]
    problems, limits = (sum(f.level == level for f in kept) for level in ("problem", "limit"))
    overall = "usable, with nothing to complain of" if not limits else f"usable, with {_count(limits, 'limit')}"
    if problems:
        overall = f"hardly usable: {_count(problems, 'problem')}"
    return overall, sorted(kept, key=lambda f: ("problem", "limit", "good").index(f.level))


def _count(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def _length(seconds: float) -> _Finding:
    if seconds < _SHORT:
        return _Finding("limit", f"{seconds:.0f} s are little; the mouth will know few sounds. Film 3 to 5 minutes.")
    if seconds < _ENOUGH:
        return _Finding("limit", f"{seconds:.0f} s will do for a first try; 3 to 5 minutes make the mouth more exact.")
    return _Finding("good", f"{seconds / 60:.1f} minutes long.")


def _speech(lip_opening: np.ndarray, voiced: float | None) -> _Finding:
    movement = float(np.subtract(*np.percentile(lip_opening, [95, 5])))
    if voiced is None:
        return _Finding("problem", "There is no sound, so nothing can be learned of how this person speaks.")
    if voiced < 0.2:
        return _Finding("problem", f"Speech is heard in only {voiced:.0%} of the time. Film somebody who speaks.")
    if movement < 0.03:
        return _Finding("problem", "The lips hardly move. Is this the person who is heard?")
    text = f"Speech in {voiced:.0%} of the time; the lips open up to {movement:.2f} of the distance between the eyes."
    return _Finding("good" if voiced > 0.4 else "limit", text)


def _step(lag: Lag | None, shifted: list[float]) -> _Finding | None:
    if lag is None:
        return None
    if lag.agreement < _AGREE:
        return _Finding("limit", f"The sound does not follow the lips (r = {lag.agreement:.2f}). Is it this person's?")
    leader, follower = ("sound", "lips") if lag.frames > 0 else ("lips", "sound")
    verb = "leads" if leader == "sound" else "lead"
    text = f"The {leader} {verb} the {follower} by {abs(lag.frames):.1f} frames ({abs(lag.frames) * 1000 / FPS:.0f} ms)"
    moved = [f"{abs(shift) * 1000 / FPS:.0f} ms {'later' if shift > 0 else 'earlier'}" for shift in shifted if shift]
    if moved:
        text = f"The sound was put {', '.join(moved)}, into step with the lips. {text}"
    if abs(lag.frames) <= _IN_STEP:
        return _Finding("good", f"{text}: in step.")
    if not lag.sure:
        return _Finding("limit", f"{text}, but that is not sure. Look whether they are in step.")
    return _Finding("limit", f"{text}. Capture it without --sync keep, or shift the sound of the film by that much.")


def _sound_length(ingest: dict[str, Any]) -> _Finding | None:
    missing = ingest["frames"] / FPS - ingest.get("sound_seconds", ingest["frames"] / FPS)
    if ingest.get("sound") and missing > 1:
        return _Finding("limit", f"The sound ends {missing:.1f} s before the pictures; silence was put in its place.")
    return None


def _bridged(sentences: list[str]) -> _Finding | None:
    """What the file itself had wrong, and was put right in reading it."""
    if not sentences:
        return None
    return _Finding("good", f"Put right in reading the film: {'; '.join(sentences)}.")


def _missing(missing: list[int], frames: int, cut: list[list[int]]) -> _Finding:
    if not missing:
        return _Finding("good", "The face was found in every frame.")
    longest = max(stop - start for start, stop in _runs(missing)) / FPS
    text = f"No face in {len(missing)} frames ({len(missing) / frames:.1%}), at most {longest:.1f} s in one go"
    cut = [pair for pair in cut if pair[1] > pair[0]]  # the others are joins of parts
    if cut:
        return _Finding("limit", f"{text}. Left out: {_times(cut)}; shorter gaps are bridged.")
    if len(missing) > 0.05 * frames:
        return _Finding("limit", f"{text}. Cut these parts from the film.")
    return _Finding("good", f"{text}; bridged.")


def _runs(frames: list[int]) -> list[tuple[int, int]]:
    """First and one past the last of each stretch of consecutive frames."""
    runs = np.split(np.array(frames), np.flatnonzero(np.diff(frames) > 1) + 1)
    return [(int(run[0]), int(run[-1]) + 1) for run in runs if len(run)]


def _times(stretches: Sequence[Sequence[int]]) -> str:
    """When the first few stretches of frames are."""
    told = ", ".join(f"{clock(a / FPS)} to {clock(b / FPS)}" for a, b in stretches[:4])
    return told + (", ..." if len(stretches) > 4 else "")


def _hidden(hidden: list[int], frames: int) -> _Finding | None:
    if not hidden:
        return None
    share = len(hidden) / frames
    text = f"Something hides the mouth in {len(hidden)} frames ({share:.1%}), {_times(_runs(hidden))}"
    level: Level = "problem" if share > _MOST_HIDDEN else "limit"
    return _Finding(level, f"{text}: the lips there are guesses and are not trained on. Keep hands away from the face.")


def _turns(ranges: dict[str, list[float]]) -> _Finding:
    yaw, pitch = ranges["yaw"], ranges["pitch"]
    text = f"The head turns from {yaw[0]:+.0f}° to {yaw[1]:+.0f}° and nods from {pitch[0]:+.0f}° to {pitch[1]:+.0f}°"
    if yaw[1] - yaw[0] > 90 or max(map(abs, yaw)) > 55:
        return _Finding("limit", f"{text}. Profiles are tracked badly; face the camera more.")
    if yaw[1] - yaw[0] < 6:
        return _Finding("limit", f"{text}. Turning it a little more would show its shape.")
    return _Finding("good", f"{text}.")


def _steadiness(tracking: dict[str, Any], frames: int) -> _Finding:
    degrees, pixels = tracking["pose_jitter"]["degrees"], tracking["pose_jitter"]["px"]
    wild = len(tracking.get("alignment", {}).get("frames_not_aligned", []))
    text = f"The tracked head trembles by {degrees:.2f}° and {pixels:.2f} pixels from frame to frame"
    if wild > 0.05 * frames:
        return _Finding("limit", f"{text}; in {wild} frames something hides the face. Keep hands and hair off it.")
    if degrees > 0.4:
        return _Finding("limit", f"{text}: more than a head does. Film with more light or a faster shutter.")
    return _Finding("good", f"{text}.")


def _eyes(tracking: dict[str, Any]) -> _Finding:
    blinks, agreement = tracking["blinks_per_minute"], tracking["blink_agreement"]
    if blinks < 3:
        return _Finding("limit", f"{blinks:.0f} blinks a minute: too few to learn how the eyes close.")
    if agreement < 0.6:
        return _Finding("limit", f"Blinks are uncertain: two ways to see them agree only to {agreement:.2f}. Glasses?")
    return _Finding("good", f"{blinks:.0f} blinks a minute, seen alike by two measures (r = {agreement:.2f}).")


def _resolution(ingest: dict[str, Any], size: int) -> _Finding | None:
    side = ingest["crop"][2]
    face = ingest.get("face_pixels", side / _FACES_IN_SQUARE)
    wanted = face * size / side
    text = f"The face is {face:.0f} pixels high in the film and {wanted:.0f} in the capture"
    if side < _LEAST_SOURCE * size:
        return _Finding("limit", f"{text}: it was enlarged, and nothing finer can be learned. Film closer.")
    return _Finding("good", f"{text}.")


def _camera(camera: dict[str, Any], side: int) -> _Finding | None:
    """Whether the scene stands still now; lengths are told in pixels of the film."""
    state = camera.get("state")
    if state is None:
        return None
    if state == "unknown":
        return _Finding("good", "There is nothing behind the person by which a camera's motion could be told.")
    off, blocks = camera["residual_px"], camera["worst_blocks_px"]
    text = f"The camera moves by up to {camera['moves_px']:.1f} pixels"
    if camera["zoom"][1] > 1.01 * camera["zoom"][0]:
        text += f", zooms {camera['zoom'][1] / camera['zoom'][0]:.2f} times"
    if state == "lost":
        return _Finding(
            "problem",
            f"{text}, or the background does: in {camera['lost']:.0%} of the pictures it could not be told which, and "
            "the film was left as it is. Put the camera on a stand, before a background that stands still.",
        )
    loose = blocks > (2.5 if state == "still" else 1) * _MOST_LOOSE * side
    why = f"parts of the background move by {blocks:.1f} pixels of their own. Film before one that stands still"
    if state == "still":
        return _Finding("limit", f"The camera stands still, but {why}.") if loose else None
    text += f" and was steadied to {off:.2f}"
    if loose:
        return _Finding("limit", f"{text}, but {why}, from one place, and give the avatar another background.")
    return _Finding("good", f"{text}.")


def _turned(degrees: list[int]) -> _Finding | None:
    if any(degrees):
        return _Finding("good", "The film lay on its side, or its head down, and was turned upright.")
    return None


def _kept(ingest: dict[str, Any]) -> _Finding | None:
    kept, left = ingest.get("kept", []), ingest.get("left_out", [])
    if not left and len(kept) < 2:
        return None
    text = f"Joined from {len(kept)} parts: {', '.join(kept[:6])}" + (", ..." if kept[6:] else "")
    if left:
        text += f". Left out: {', '.join(left[:6])}" + (", ..." if left[6:] else "")
    return _Finding("good", f"{text}.")


def _framing(shares: dict[str, float]) -> _Finding | None:
    if shares["torso"] + shares["neck"] < 0.03:
        return _Finding("limit", "Almost nothing is seen below the chin. Leave room for the shoulders.")
    if shares["head"] < 0.08:
        return _Finding("limit", f"The head fills only {shares['head']:.0%} of the picture. Film closer.")
    return None


def _company(others: int) -> _Finding | None:
    if others:
        return _Finding("limit", f"{others + 1} people are seen. Is the one who is followed the one who speaks?")
    return None
