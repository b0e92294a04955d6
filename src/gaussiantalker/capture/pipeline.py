"""From a video to a finished capture folder, stage by stage."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gaussiantalker import pretrained
from gaussiantalker.capture.folder import FORMAT, RECORD, Capture
from gaussiantalker.capture.sources import PARSERS, Film, Source, open_source
from gaussiantalker.capture.stages import Stages, digest_file
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import make_folder, read_json
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.timing import FPS

MIN_SIZE, MAX_SIZE = 128, 1024
NO_CONSENT = "not recorded"
STAGES = ("ingest", "tracking", "head", "labels", "plates", "points", "report")


def capture(
    video: str | Path,
    out: str | Path,
    *,
    size: int = 512,
    consent: str | None = None,
    force: Sequence[str] = (),
    head: str | Path | None = None,
    parser: str = "bisenet",
    progress: Progress = SILENT,
) -> Capture:
    """Turns a portrait video into the folder `out` of square pictures of `size` pixels with all that is known of them.

    A folder in AD-NeRF's dataset layout may stand in place of the video; its poses and masks are then used.
    What was done before with the same video and settings is kept, but for the stages in `force` (see `STAGES`) and what
    depends on them. `consent` says who agreed to be captured, and how.
    `parser` names the network that makes the masks: "bisenet", whose training pictures are for research, or "selfie",
    which is licensed for any use and may take dark clothes for background.
    `head` is a file with another morphable head than the one that comes with the package, see `capture.morphable`.
    Raises GaussianTalkerError when the video cannot be used, with the reason.
    """
    out = Path(out)
    if not MIN_SIZE <= size <= MAX_SIZE or size % 2:
        raise GaussianTalkerError(f"the size {size} cannot be used; give an even number from {MIN_SIZE} to {MAX_SIZE}")
    if out.is_file():
        raise GaussianTalkerError(f"{out} is a file; name a folder to write the capture to")
    for name in force:
        if name not in STAGES:
            raise GaussianTalkerError(f"there is no stage {name!r} to force; choose from {', '.join(STAGES)}")
    if parser not in PARSERS:
        raise GaussianTalkerError(f"there is no parser {parser!r}; choose from {', '.join(PARSERS)}")
    # What reads models is imported when there is work for it.
    from gaussiantalker.capture.morphable import PACKED, PACKED_LICENCE, load_head

    model = PACKED if head is None else Path(head)
    load_head(model)
    source = open_source(video)
    stages = Stages(out / RECORD, _record(out, source.path, size, consent, parser), force)
    stages.record["models"]["morphable-head"] = PACKED_LICENCE if head is None else f"{model.name}, brought by the user"
    _run(stages, source, out, size, model, parser, progress)
    stages.record["frames"] = stages.record["stages"]["ingest"]["facts"]["frames"]
    stages.save()
    if stages.ran:
        verdict = stages.record["stages"]["report"]["facts"]["verdict"]
        progress.note(f"the capture is {verdict}; see {out / 'report.html'}")
    if stages.record["consent"] == NO_CONSENT:
        progress.note("consent: not recorded; say who is seen here and that they agreed (consent=...)")
    return Capture.load(out)


def _record(out: Path, source: Path, size: int, consent: str | None, parser: str) -> dict[str, Any]:
    """The folder's own record, or a new one; a folder that holds something else is left alone."""
    if (out / RECORD).exists():
        record = read_json(out / RECORD)
        # An older record is carried on: stages whose result has changed since have another version, and run again.
        if record.get("format") not in range(1, FORMAT + 1):
            raise GaussianTalkerError(
                f"{out} is a capture of another format ({record.get('format')}); name another folder"
            )
    elif out.exists() and any(out.iterdir()):
        raise GaussianTalkerError(f"{out} holds other files; name an empty or a new folder")
    else:
        record = {}
    record["format"] = FORMAT
    licences = {name: pretrained.MODELS[name].licence for name in ("face-landmarker", PARSERS[parser])}
    record.update(source=source.name, size=size, fps=FPS, models=licences)
    record["consent"] = consent or record.get("consent", NO_CONSENT)
    return record


def _run(stages: Stages, source: Source, out: Path, size: int, model: Path, parser: str, progress: Progress) -> None:
    make_folder(out)

    def plates() -> dict[str, Any]:
        from gaussiantalker.capture.plates import make_plates

        return make_plates(out, progress)

    def head() -> dict[str, Any]:
        from gaussiantalker.capture.head_fit import make_head

        return make_head(out, model, tracked["camera"], progress)

    def points() -> dict[str, Any]:
        from gaussiantalker.capture.points import make_points

        return make_points(out, tracked["camera"], progress)

    def report() -> dict[str, Any]:
        from gaussiantalker.capture.report import make_report

        return make_report(out, stages.record, progress)

    identity = source.identity()
    read = ["frames.npy", "landmarks.npy", "faces.npz", "audio.wav", "deepspeech.npy"]
    ingested = stages.run(
        "ingest",
        5,
        identity | {"size": size},
        [],
        read,
        lambda: source.ingest(out, size, progress),
        parts=["faces.part.npy", "framing.part.json"],
    )
    # A film's later stages depend on what was read from it, a dataset's also on its own poses and masks.
    own = {} if isinstance(source, Film) else identity
    tracked = stages.run(
        "tracking", 6, own, ["ingest"], ["tracking.npz"], lambda: source.track(out, size, ingested, progress)
    )
    stages.run("head", 1, {"model": digest_file(model)}, ["tracking"], ["head.npz"], head)
    labels = own | {"parser": parser}
    stages.run("labels", 3, labels, ["ingest"], ["labels.npy"], lambda: source.label(out, ingested, parser, progress))
    stages.run("plates", 5, {}, ["ingest", "labels"], ["background.png", "plates.npy"], plates)
    stages.run("points", 4, {}, ["tracking", "head", "labels"], ["points.npz"], points)
    told = {key: stages.record[key] for key in ("source", "consent")}
    stages.run("report", 3, told, ["ingest", "tracking", "head", "labels", "plates"], ["report.html"], report)
