"""The whole evaluation of one avatar, written into its folder."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker import hardware
from gaussiantalker.capture import Capture
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.cost_scores import cost_scores
from gaussiantalker.evaluation.faces import Detector, mouth_distance
from gaussiantalker.evaluation.film import COMPARISON, RENDER, TRUTH, write_films
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.insight import attention_maps, plane_pictures
from gaussiantalker.evaluation.likeness_scores import likeness_scores
from gaussiantalker.evaluation.mouth_scores import (
    LONGEST_DRIVING,
    driven_scores,
    expectation_of,
    held_out_phones,
    held_out_sync,
    mouth_scores,
    sound_windows,
)
from gaussiantalker.evaluation.phones import Transcript, phones_of_frames, read_phones, recognised
from gaussiantalker.evaluation.picture_scores import picture_scores
from gaussiantalker.evaluation.record import has_keys
from gaussiantalker.evaluation.report import REPORT, telling_frames, write_report
from gaussiantalker.evaluation.syncnet_scores import syncnet_scores
from gaussiantalker.evaluation.unit_scores import OpenFace, unit_scores
from gaussiantalker.media.audio import read_audio
from gaussiantalker.media.files import existing_file, read_arrays, write_json
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.speech import voiced
from gaussiantalker.talker import Footage
from gaussiantalker.timing import FPS

SCHEMA = 1
RECORD = "evaluation.json"
RESULTS = (COMPARISON, TRUTH, RENDER, REPORT, RECORD)
LISTENING = ("median", "mouth open", "eyes shut")  # frames whose attention the report shows


@dataclass(frozen=True)
class Truth:
    """What the maker of a generated video knows about every frame."""

    lip_mm: np.ndarray  # [N] opening of the lips
    phone: np.ndarray | None  # [N] name of what is being said


@dataclass(frozen=True)
class Extras:
    """What an evaluation can use besides the avatar and its capture."""

    truth: Truth | None = None
    driving: np.ndarray | None = None  # [S] sound that is not in the capture
    driving_phones: Transcript | None = None
    openface: OpenFace | None = None
    syncnet: Path | None = None
    quick: bool = False


def evaluate(
    avatar: str | Path,
    capture: str | Path | None = None,
    *,
    truth: str | Path | None = None,
    audio: str | Path | None = None,
    openface: tuple[str | Path, str | Path] | None = None,
    syncnet: str | Path | None = None,
    quick: bool = False,
    articulation: float = 1.0,
    device: str = "auto",
    force: bool = False,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Measures an avatar on its capture's held-out frames and, with `audio`, on sound it never heard.

    Writes `evaluation.json`, `report.html` and the videos `truth.mp4`, `render.mp4` and `comparison.mp4` into the
    avatar's folder and returns what the JSON says. `capture` is by default the one the avatar was trained on; `truth`
    is an .npz with `lip_mm`, the exact lip opening of every frame of a generated video; `openface` are OpenFace's
    tables of truth.mp4 and render.mp4; `syncnet` is the weights file of SyncNet; `quick` leaves out FID and CSIM,
    which need large networks; `articulation` is how far the mouth moves, 1 as it was learnt; `device` is where the
    avatar computes. `force` lets another capture than the avatar's own be measured on, and files be replaced that no
    evaluation wrote.

    Raises:
        GaussianTalkerError: a folder or file is missing or not what it should be, or would be lost; nothing is
            written then.
    """
    folder = Path(avatar)
    loaded = Avatar.load(folder, progress, device).directed(articulation=articulation)
    check_results(folder, [path for path in (truth, audio, syncnet, *(openface or ())) if path is not None], force)
    source = _capture_of(loaded, folder, capture, force)
    extras = Extras(
        truth=None if truth is None else read_truth(truth, source),
        driving=None if audio is None else read_audio(audio)[:LONGEST_DRIVING],
        driving_phones=None if audio is None else _phones_beside(Path(audio)),
        openface=None if openface is None else OpenFace.read(openface, source),
        syncnet=None if syncnet is None else existing_file(syncnet, "SyncNet weights"),
        quick=quick,
    )
    with _scratch(folder) as scratch:
        held = HeldOut.render(loaded, source, lambda: Landmarker(progress=progress), scratch, progress)
        result = measure(loaded, folder, held, extras, lambda: Landmarker(progress=progress), progress)
        result["articulation"] = articulation
        progress.stage("writing the report", 3)
        write_films(scratch, held)
        progress.update(1)
        chosen = telling_frames(result["per_frame"])
        frames = list(dict.fromkeys(held.first + chosen[name] for name in LISTENING if name in chosen))
        drive = Footage(source, loaded.listener).drive(np.array(frames)).to(loaded.talker.device)
        attention = attention_maps(loaded.talker, loaded.camera, drive)
        progress.update(2)
        write_report(scratch, result, held, attention, plane_pictures(loaded.talker))
        write_json(scratch / RECORD, result)
        for name in RESULTS:  # together, so that what a folder shows is of one evaluation
            os.replace(scratch / name, folder / name)
        progress.update(3)
    return result


def check_results(folder: Path, inputs: Sequence[str | Path], force: bool) -> None:
    """Raises GaussianTalkerError when an evaluation would replace one of its inputs or, unless `force`, a file that no
    evaluation wrote."""
    results = [folder / name for name in RESULTS]
    for path in inputs:
        if Path(path).resolve() in [result.resolve() for result in results]:
            raise GaussianTalkerError(f"{path} is a file that this evaluation writes anew: give a copy of it.")
    if force or has_keys(folder / RECORD, "schema", "metrics"):
        return
    for path in results:
        if path.exists():
            raise GaussianTalkerError(
                f"{path} was not written by an evaluation: move it elsewhere, or let it be replaced with --force."
            )


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A place beside the results, for them to be moved from all at once."""
    try:
        place = tempfile.TemporaryDirectory(prefix=".evaluation-", dir=folder)
    except OSError as error:
        raise GaussianTalkerError(f"{folder} cannot be written to ({error.strerror}): copy the avatar.") from None
    with place as path:
        yield Path(path)


def measure(
    avatar: Avatar,
    folder: Path,
    held: HeldOut,
    extras: Extras,
    detector: Callable[[], Detector],
    progress: Progress,
) -> dict[str, Any]:
    """Everything evaluation.json says; docs/evaluation.md explains it."""
    exact = None if extras.truth is None else extras.truth.lip_mm[held.frames]
    known = extras.truth is not None and extras.truth.phone is not None
    heard = (
        Transcript(phones_of_frames(extras.truth.phone[held.frames]), "truth")
        if known
        else recognised(held.audio, progress)
    )
    metrics, per_frame = picture_scores(held, progress)
    metrics |= likeness_scores(held, extras.quick, progress)
    metrics |= syncnet_scores(held, extras.syncnet, progress)
    expectation = expectation_of(held)
    metrics |= mouth_scores(held, exact)
    metrics |= unit_scores(held, extras.openface)
    metrics |= held_out_sync(held, expectation)
    metrics |= held_out_phones(held, heard, exact)
    metrics |= driven_scores(avatar, extras.driving, extras.driving_phones, expectation, detector, progress)
    costs, latencies = cost_scores(avatar, folder, held.audio if extras.driving is None else extras.driving, progress)
    metrics |= costs
    per_frame |= {
        "lip_opening_truth": held.truth_track.lip_opening,
        "lip_opening_render": held.render_track.lip_opening,
        "lip_opening_expected": expectation.of(sound_windows(held.audio)),
        "mouth_distance": mouth_distance(held.truth_track, held.render_track),
        "blink_truth": held.truth_track.blink,
        "blink_render": held.render_track.blink,
        "voiced": voiced(held.audio),
    }
    if exact is not None:
        per_frame["lip_mm"] = exact
    return {
        "schema": SCHEMA,
        "avatar": folder.resolve().name,
        "method": avatar.talker.method.name,
        "capture": held.capture.path.resolve().name,
        "size": held.capture.size,
        "frames": held.capture.frames,
        "held_out": [held.first, held.frames.stop],
        "hardware": hardware.describe(),
        "metrics": {key: value.as_json() for key, value in metrics.items()},
        "latencies": [round(value, 2) for value in latencies],
        "phones": {
            "source": heard.source,
            "spans": [[phone.name, phone.first, phone.stop] for phone in heard.phones],
        },
        "training_curve": avatar.info.get("training", {}).get("curve", []),
        "per_frame": {key: _json_list(values) for key, values in per_frame.items()},
        "notes": _notes(held, avatar, heard),
    }


def read_truth(path: str | Path, capture: Capture) -> Truth:
    """The truth of every frame of a capture. Raises GaussianTalkerError when the file does not fit."""
    path = existing_file(path, "truth")
    try:
        arrays = read_arrays(path)
        opening, phone = np.asarray(arrays["lip_mm"], dtype=float), arrays.get("phone")
    except (GaussianTalkerError, KeyError, ValueError):
        raise GaussianTalkerError(f"{path} is not an .npz file with lip_mm; give the truth of the video") from None
    if opening.ndim != 1 or abs(len(opening) - capture.frames) > 1:
        raise GaussianTalkerError(
            f"{path} has lip openings of shape {opening.shape} for a capture of {capture.frames} frames; "
            "give the truth of the captured video"
        )
    # A captured video can be a frame longer or shorter than its frames were rendered.
    fitted = np.minimum(np.arange(capture.frames), len(opening) - 1)
    return Truth(opening[fitted], None if phone is None else phone[fitted])


def _capture_of(avatar: Avatar, folder: Path, given: str | Path | None, force: bool) -> Capture:
    path = given or (folder.resolve() / avatar.info["capture"] if "capture" in avatar.info else None)
    if path is None:
        raise GaussianTalkerError("The avatar does not say what it was trained on: name its capture with --capture.")
    if given is None and not Path(path).is_dir():
        raise GaussianTalkerError(
            f"{path}, which the avatar was trained on, is not there: name its place with --capture."
        )
    capture = Capture.load(path)
    if capture.size != avatar.camera.width:
        raise GaussianTalkerError(
            f"{path} has pictures of {capture.size} pixels and the avatar of {avatar.camera.width}: "
            "name the capture it was trained on with --capture."
        )
    if not (force or _trained_on(avatar, capture)):
        raise GaussianTalkerError(
            f"{path} is not the capture that {folder} was trained on: name that one with --capture, or measure on this "
            "one with --force."
        )
    return capture


def _trained_on(avatar: Avatar, capture: Capture) -> bool:
    """Whether it is the capture the avatar was trained on, as far as the avatar tells."""
    return avatar.info.get("recipe", {}).get("capture") in (None, capture.fingerprint)


def _phones_beside(audio: Path) -> Transcript | None:
    """The phones of `NAME.wav` when `NAME_phones.csv` lies beside it."""
    table = audio.with_name(f"{audio.stem}_phones.csv")
    return Transcript(read_phones(table), "truth") if table.is_file() else None


def _json_list(values: np.ndarray) -> list[float | bool | None]:
    if values.dtype == bool:
        return values.tolist()
    return [round(float(value), 5) if np.isfinite(value) else None for value in values]


def _notes(held: HeldOut, avatar: Avatar, heard: Transcript) -> list[str]:
    seconds, trained = len(held) / FPS, held.first / FPS
    behind = (
        "Torso and background are the avatar's own, so whole-frame numbers say what a viewer would see; the papers' "
        "heads stand before the true video's torso."
        if held.own_torso
        else "What is behind the head (background, torso, neck) comes from the true video, as in the papers: "
        "whole-frame numbers count true pixels and are not the avatar's merit."
    )
    notes = [
        "The held-out frames are rendered under their own sound, head pose and blink. "
        + behind
        + " The head's numbers "
        "are the ones to compare.",
        f"Trained on {trained:.0f} s and tested on {seconds:.1f} s of video. The papers use 3 to 5 minutes of other "
        "people at other sizes: their tables are not comparable with these numbers.",
    ]
    if heard.guessed:
        notes.append(
            f"The phones are guesses by {heard.source}, which knows English alone: read what is said of b, m, p beside "
            "the true video's."
        )
    if not _trained_on(avatar, held.capture):
        notes.insert(0, "This is not the capture that the avatar was trained on.")
    load = hardware.load()
    if load is not None and load > 1.5 * hardware.cores():
        notes.append(
            f"The machine was busy with other work (load {load:.0f} on {hardware.cores()} cores): "
            "times would be shorter without it."
        )
    return notes
