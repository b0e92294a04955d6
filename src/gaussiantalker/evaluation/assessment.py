"""The whole evaluation of one avatar, written into its folder."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker import hardware
from gaussiantalker.capture import Capture
from gaussiantalker.capture.face_track import mouth_distance
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.action_units import OpenFace
from gaussiantalker.evaluation.costs import live
from gaussiantalker.evaluation.film import COMPARISON, RENDER, TRUTH, write_films
from gaussiantalker.evaluation.held_out import Inputs, Reference, Rendering, Truth
from gaussiantalker.evaluation.insight import Attention, attention_maps, plane_pictures
from gaussiantalker.evaluation.metrics import measure
from gaussiantalker.evaluation.mouth import LONGEST_AUDIO, rendered_speech
from gaussiantalker.evaluation.phones import Transcript, read_phones, unknown_phones
from gaussiantalker.evaluation.pictures import likeness
from gaussiantalker.evaluation.record import Measured, has_keys
from gaussiantalker.evaluation.report import REPORT, telling_frames, write_report
from gaussiantalker.evaluation.syncnet import SyncNet
from gaussiantalker.media.audio import read_audio
from gaussiantalker.media.files import existing_file, read_arrays, write_json
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.speech import voiced
from gaussiantalker.talker import Footage, MouthListener
from gaussiantalker.talker.mouth_code import tracked_scores
from gaussiantalker.timing import FPS

_SCHEMA = 1
_RECORD = "evaluation.json"
_RESULTS = (COMPARISON, TRUTH, RENDER, REPORT, _RECORD)
_LISTENING = ("median", "mouth open", "eyes shut")  # frames whose attention the report shows


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
    exact: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Measures an avatar on its capture's held-out frames and, with `audio`, on sound it never heard.

    Writes `evaluation.json`, `report.html` and the videos `truth.mp4`, `render.mp4` and `comparison.mp4` into the
    avatar's folder and returns what the JSON says. `capture` is by default the one the avatar was trained on; `truth`
    is an .npz with `lip_mm`, the exact lip opening of every frame of a generated video; `openface` are OpenFace's
    tables of truth.mp4 and render.mp4; `syncnet` is the weights file of SyncNet; `quick` leaves out FID and CSIM,
    which need large networks; `articulation` is how far the mouth moves, 1 as it was learnt; `device` is where the
    avatar computes; an `exact` avatar runs its network for every Gaussian, otherwise it is measured as well what
    blendshapes in its place cost. `force` lets another capture than the avatar's own be measured on, and files be
    replaced that no evaluation wrote.

    Raises:
        GaussianTalkerError: a folder or file is missing or not what it should be, or would be lost; nothing is
            written then.
    """
    folder = Path(avatar)
    loaded = Avatar.load(folder, progress, device, exact=exact).directed(articulation=articulation)
    _check_results(folder, [path for path in (truth, audio, syncnet, *(openface or ())) if path is not None], force)
    source = _capture_of(loaded, folder, capture, force)
    given = Inputs(
        truth=None if truth is None else read_truth(truth, source),
        audio=None if audio is None else read_audio(audio, whole=True)[:LONGEST_AUDIO],
        audio_phones=None if audio is None else _phones_beside(Path(audio)),
        openface=None if openface is None else OpenFace.read(openface, source),
        syncnet=None if syncnet is None else SyncNet.load(existing_file(syncnet, "SyncNet weights")),
        time=not quick,
    )
    reference = Reference(source, given, lambda: Landmarker(progress=progress), progress)
    with _scratch(folder) as scratch:
        rendering = Rendering.of(loaded, folder, reference, scratch)
        result = _result(rendering, measure(rendering))
        progress.stage("writing the report", 3)
        write_films(scratch, rendering)
        progress.update(1)
        attention = _attention(rendering, telling_frames(result["per_frame"]))
        progress.update(2)
        write_report(scratch, result, rendering, attention, plane_pictures(loaded.talker))
        write_json(scratch / _RECORD, result)
        for name in _RESULTS:  # together, so that what a folder shows is of one evaluation
            os.replace(scratch / name, folder / name)
        progress.update(3)
    return result


def _check_results(folder: Path, inputs: Sequence[str | Path], force: bool) -> None:
    """Raises GaussianTalkerError when an evaluation would replace one of its inputs or, unless `force`, a file that no
    evaluation wrote."""
    results = [folder / name for name in _RESULTS]
    for path in inputs:
        if Path(path).resolve() in [result.resolve() for result in results]:
            raise GaussianTalkerError(f"{path} is a file that this evaluation writes anew: give a copy of it.")
    if force or has_keys(folder / _RECORD, "schema", "metrics"):
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


def _result(rendering: Rendering, metrics: dict[str, Measured]) -> dict[str, Any]:
    """Everything evaluation.json says; docs/evaluation.md explains it."""
    avatar, reference = rendering.avatar, rendering.reference
    capture, transcript = reference.capture, reference.transcript
    per_frame = likeness(rendering) | {
        "lip_opening_truth": reference.track.lip_opening,
        "lip_opening_render": rendering.track.lip_opening,
        "lip_opening_expected": rendered_speech(rendering).expected,
        "mouth_distance": mouth_distance(reference.track, rendering.track),
        "blink_truth": reference.track.blink,
        "blink_render": rendering.track.blink,
        "voiced": voiced(reference.audio),
    }
    if reference.lip_mm is not None:
        per_frame["lip_mm"] = reference.lip_mm
    per_frame |= _codes(rendering)
    return {
        "schema": _SCHEMA,
        "avatar": rendering.folder.resolve().name,
        "method": avatar.talker.method.name,
        "capture": capture.path.resolve().name,
        "size": capture.size,
        "frames": capture.frames,
        "held_out": [reference.first, reference.frames.stop],
        "articulation": avatar.articulation,
        "exact": avatar.blendshapes is None,
        "hardware": hardware.describe(),
        "metrics": {key: value.as_json() for key, value in metrics.items()},
        "latencies": [round(seconds * 1000, 2) for seconds in live(rendering).counted],
        "phones": {
            "source": transcript.source,
            "spans": [[phone.name, phone.first, phone.stop] for phone in transcript.phones],
        },
        "training_curve": avatar.info.get("training", {}).get("curve", []),
        "per_frame": {key: _json_list(values) for key, values in per_frame.items()},
        "notes": _notes(rendering),
    }


def _codes(rendering: Rendering) -> dict[str, np.ndarray]:
    """Lip openings of the mouth code, as heard and as tracked in the capture, where the avatar has one."""
    listener, capture, frames = rendering.avatar.listener, rendering.reference.capture, rendering.reference.frames
    if not isinstance(listener, MouthListener):
        return {}
    tracked = listener.code.encode(tracked_scores(capture.tracking))
    return {"code_heard": listener.hear_film(capture.audio)[frames, 0], "code_tracked": tracked[frames, 0]}


def _attention(rendering: Rendering, chosen: dict[str, int]) -> list[Attention]:
    """In the telling frames."""
    avatar, first = rendering.avatar, rendering.reference.first
    frames = list(dict.fromkeys(first + chosen[name] for name in _LISTENING if name in chosen))
    drive = Footage(rendering.reference.capture, avatar.listener).drive(np.array(frames))
    return attention_maps(avatar.talker, avatar.camera, drive.to(avatar.talker.device))


def read_truth(path: str | Path, capture: Capture) -> Truth:
    """The truth of every frame of a capture. Raises GaussianTalkerError when the file does not fit."""
    path = existing_file(path, "truth")
    try:
        arrays = read_arrays(path)
        opening, phone = np.asarray(arrays["lip_mm"], dtype=float), arrays.get("phone")
    except (GaussianTalkerError, KeyError, ValueError):
        raise GaussianTalkerError(f"{path} is not an .npz file with lip_mm; give the truth of the video.") from None
    if opening.ndim != 1 or abs(len(opening) - capture.frames) > 1:
        raise GaussianTalkerError(
            f"{path} has lip openings of shape {opening.shape} for a capture of {capture.frames} frames; "
            "give the truth of the captured video."
        )
    if not np.isfinite(opening).all():
        raise GaussianTalkerError(f"{path} has lip openings that are not finite; give the truth of the captured video.")
    if phone is not None and (phone.shape != opening.shape or unknown_phones(phone.tolist())):
        raise GaussianTalkerError(f"{path} must name a phone of ARPAbet for each opening; give the truth of the video.")
    # A captured video can be a frame longer or shorter than its frames were rendered.
    fitted = np.minimum(np.arange(capture.frames), len(opening) - 1)
    return Truth(opening[fitted], None if phone is None else phone[fitted])


def _capture_of(avatar: Avatar, folder: Path, given: str | Path | None, force: bool) -> Capture:
    path = given or (folder.resolve() / avatar.info["capture"] if "capture" in avatar.info else None)
    if path is None:
        raise GaussianTalkerError("The avatar does not say what it was trained on: name its capture with --capture.")
    if given is None and not Path(path).is_dir():
        raise GaussianTalkerError(
            f"{path}, which the avatar was trained on, was not found: name its folder with --capture."
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


def _notes(rendering: Rendering) -> list[str]:
    reference, heard = rendering.reference, rendering.reference.transcript
    seconds, trained = len(reference) / FPS, reference.first / FPS
    behind = (
        "Torso and background are the avatar's own, so whole-frame numbers say what a viewer would see; what the "
        "body does is read from the true frame, as the head's pose is. The papers' heads stand before the true "
        "video's torso."
        if rendering.avatar.torso is not None
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
    if not _trained_on(rendering.avatar, reference.capture):
        notes.insert(0, "This is not the capture that the avatar was trained on.")
    load = hardware.load()
    if load is not None and load > 1.5 * hardware.cores():
        notes.append(
            f"The machine was busy with other work (load {load:.0f} on {hardware.cores()} cores): "
            "times would be shorter without it."
        )
    return notes
