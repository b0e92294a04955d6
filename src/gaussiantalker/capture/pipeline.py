"""From a video to a finished capture folder, stage by stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaussiantalker import pretrained
from gaussiantalker.capture.folder import FORMAT, NO_CONSENT, RECORD, Capture
from gaussiantalker.capture.sources import PARSERS, Film, Source, open_source
from gaussiantalker.capture.stages import Stage, Stages, digest_file, is_done
from gaussiantalker.errors import GaussianTalkerError, chosen
from gaussiantalker.media.files import is_partial, read_json
from gaussiantalker.media.lock import LOCK, locked
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.timing import FPS

MIN_SIZE, MAX_SIZE = 128, 1024
_SYNCS = ("auto", "keep")


@dataclass(frozen=True)
class _Job:
    """One call of `capture`: what the stages work on, where to, and how."""

    source: Source
    out: Path
    size: int
    head: Path
    parser: str
    sync: str
    record: dict[str, Any]
    progress: Progress

    def facts(self, stage: str) -> dict[str, Any]:
        """What an earlier stage has found."""
        return self.record["stages"][stage]["facts"]

    @property
    def camera(self) -> dict[str, float]:
        return self.facts("tracking")["camera"]


# What reads models is imported when there is work for it.
def _head(job: _Job) -> dict[str, Any]:
    from gaussiantalker.capture.head_fit import make_head

    return make_head(job.out, job.head, job.camera, job.progress)


def _sync(job: _Job) -> dict[str, Any]:
    from gaussiantalker.capture.sync import synchronise

    # What a dataset has prepared belongs to its sound as it is.
    keep = job.sync == "keep" or not isinstance(job.source, Film)
    ingested = job.facts("ingest")
    return synchronise(job.out, ingested.get("films", [[0, ingested["frames"]]]), keep, job.progress)


def _plates(job: _Job) -> dict[str, Any]:
    from gaussiantalker.capture.plates import make_plates

    return make_plates(job.out, job.progress)


def _points(job: _Job) -> dict[str, Any]:
    from gaussiantalker.capture.points import make_points

    return make_points(job.out, job.camera, job.progress)


def _report(job: _Job) -> dict[str, Any]:
    from gaussiantalker.capture.report import make_report

    return make_report(job.out, job.record, job.progress)


# In the order in which they are done. A film's later stages depend on what was read from it, a dataset's also on its
# own poses and masks.
_STAGES = (
    Stage(
        "ingest",
        7,
        reads=(),
        writes=("frames.npy", "landmarks.npy", "faces.npz", "film.wav", "deepspeech.npy"),
        parts=("faces.part.npy", "plan.part.npz"),
        work=lambda job: job.source.ingest(job.out, job.size, job.parser, job.progress),
        settings=lambda job: job.source.identity() | {"size": job.size},
    ),
    Stage(
        "tracking",
        7,
        reads=("ingest",),
        writes=("tracking.npz",),
        work=lambda job: job.source.track(job.out, job.size, job.facts("ingest"), job.progress),
        settings=lambda job: job.source.annotations(),
    ),
    Stage(
        "sync",
        1,
        reads=("ingest", "tracking"),
        writes=("audio.wav",),
        work=_sync,
        settings=lambda job: {"sync": job.sync, "own": isinstance(job.source, Film)},
    ),
    Stage(
        "head",
        1,
        reads=("tracking",),
        writes=("head.npz",),
        work=_head,
        settings=lambda job: {"model": digest_file(job.head)},
    ),
    Stage(
        "labels",
        3,
        reads=("ingest",),
        writes=("labels.npy",),
        work=lambda job: job.source.label(job.out, job.facts("ingest"), job.parser, job.progress),
        settings=lambda job: job.source.annotations() | {"parser": job.parser},
    ),
    Stage("plates", 6, reads=("ingest", "labels"), writes=("background.png", "plates.npy"), work=_plates),
    Stage("points", 4, reads=("tracking", "head", "labels"), writes=("points.npz",), work=_points),
    Stage(
        "report",
        4,
        reads=("ingest", "tracking", "sync", "head", "labels", "plates"),
        writes=("report.html",),
        work=_report,
        settings=lambda job: {key: job.record[key] for key in ("source", "consent")},
    ),
)
_NAMES = tuple(stage.name for stage in _STAGES)


def capture(
    video: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    size: int = 512,
    consent: str | None = None,
    force: Sequence[str] | bool = (),
    head: str | Path | None = None,
    parser: str = "bisenet",
    sync: str = "auto",
    progress: Progress = SILENT,
) -> Capture:
    """Turns a portrait video into the folder `out` of square pictures of `size` pixels with all that is known of them.

    Several videos of one person before one scene are joined; of a video with cuts, all stretches are kept that show the
    person who is seen most before the scene that is seen most. A camera that moves is steadied.
    A folder in AD-NeRF's dataset layout may stand in place of the video; its poses and masks are then used.
    What was done before with the same video and settings is kept, but for the stages in `force` (their names, or True
    for all of them) and what depends on them. `consent` says who agreed to be captured, and how; it belongs to the
    film. A folder that holds the capture of another film is left alone, unless everything or "ingest" is forced.
    `parser` names the network that makes the masks: "bisenet", whose training pictures are for research, or "selfie",
    which is licensed for any use and may take dark clothes for background.
    `sync` says what happens where sound and lips are out of step: "auto" shifts the sound where the measure is sure,
    "keep" leaves it.
    `head` is a file with another morphable head than the one that comes with the package, see `capture.morphable`.
    Raises GaussianTalkerError when the video cannot be used, with the reason.
    """
    out = Path(out)
    if not MIN_SIZE <= size <= MAX_SIZE or size % 2:
        raise GaussianTalkerError(f"The size {size} cannot be used; give an even number from {MIN_SIZE} to {MAX_SIZE}.")
    if out.is_file():
        raise GaussianTalkerError(f"{out} is a file; name a folder to write the capture to.")
    force = _forced(force)
    chosen("parser", parser, PARSERS)
    if sync not in _SYNCS:
        raise GaussianTalkerError(f"There is no sync {sync!r}; choose from {', '.join(_SYNCS)}.")
    from gaussiantalker.capture.morphable import PACKED, PACKED_LICENCE, load_head

    model = PACKED if head is None else Path(head)
    load_head(model)
    source = open_source(video)
    _refuse_other_files(out)
    with locked(out, "capture"):
        record = _record(out, source, consent, "ingest" in force)
        record |= {"size": size, "fps": FPS, "models": _licences(parser)}
        record["models"]["morphable-head"] = PACKED_LICENCE if head is None else f"{model.name}, brought by the user"
        stages = Stages(out / RECORD, record, force)
        job = _Job(source, out, size, model, parser, sync, record, progress)
        for stage in _STAGES:
            stages.run(stage, job)
        record["frames"] = job.facts("ingest")["frames"]
        stages.save()
    if stages.ran:
        progress.note(f"the capture is {job.facts('report')['verdict']}; see {out / 'report.html'}")
    if record["consent"] == NO_CONSENT:
        progress.note("consent: not recorded; say who is seen here and that they agreed (consent=...)")
    return Capture.load(out)


def _forced(force: Sequence[str] | bool) -> tuple[str, ...]:
    if isinstance(force, bool):
        return _NAMES if force else ()
    for name in force:
        if name not in _NAMES:
            raise GaussianTalkerError(f"There is no stage {name!r} to force; choose from {', '.join(_NAMES)}.")
    return tuple(force)


def _refuse_other_files(out: Path) -> None:
    """What a killed run has left before it wrote its record is nobody's, and is no reason to refuse."""
    if (out / RECORD).exists() or not out.exists():
        return
    if any(path.name != LOCK and not is_partial(path) for path in out.iterdir()):
        raise GaussianTalkerError(f"{out} holds other files; name an empty or a new folder.")


def _record(out: Path, source: Source, consent: str | None, replace: bool) -> dict[str, Any]:
    """The folder's own record, or a new one. Consent is carried on as long as the film is the same."""
    record = _old_record(out / RECORD) if (out / RECORD).exists() else {}
    content = source.content()
    known = record.get("content", content if record.get("source") == source.name else None)
    if record and known != content:
        if not replace:
            raise GaussianTalkerError(
                f"{out} is the capture of another film ({record.get('source')}), to which its consent belongs; "
                "name another folder, or replace it with --force."
            )
        record.pop("consent", None)
    told = consent or record.get("consent", NO_CONSENT)
    return record | {"format": FORMAT, "source": source.name, "content": content, "consent": told}


def _old_record(path: Path) -> dict[str, Any]:
    """A record is carried on: stages whose result has changed since have another version, and run again."""
    record = read_json(path)
    version = record.get("format") if isinstance(record, dict) else None
    if version != FORMAT:
        raise GaussianTalkerError(f"{path.parent} is a capture of another format ({version}); name another folder.")
    stages = record.get("stages")
    record["stages"] = {k: v for k, v in stages.items() if is_done(v)} if isinstance(stages, dict) else {}
    return record


def _licences(parser: str) -> dict[str, str]:
    return {name: pretrained.MODELS[name].licence for name in ("face-landmarker", PARSERS[parser])}
