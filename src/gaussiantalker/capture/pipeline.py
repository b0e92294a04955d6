"""From a video to a finished capture folder, stage by stage."""

from pathlib import Path
from typing import Any

from gaussiantalker import pretrained
from gaussiantalker.capture.folder import FORMAT, RECORD, Capture
from gaussiantalker.capture.stages import Stages, digest_file
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import existing_file, read_json
from gaussiantalker.media.video import probe
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.timing import FPS

MIN_SIZE, MAX_SIZE = 128, 1024
NO_CONSENT = "not recorded"
_MODELS = ("face-landmarker", "face-parser")


def capture(
    video: str | Path, out: str | Path, *, size: int = 512, consent: str | None = None, progress: Progress = SILENT
) -> Capture:
    """Turns a portrait video into the folder `out` of square pictures of `size` pixels with all that is known of them.

    What was done before with the same video and settings is kept. `consent` says who agreed to be captured, and how.
    Raises GaussianTalkerError when the video cannot be used, with the reason.
    """
    source, out = existing_file(video, "video"), Path(out)
    if not MIN_SIZE <= size <= MAX_SIZE or size % 2:
        raise GaussianTalkerError(f"the size {size} cannot be used; give an even number from {MIN_SIZE} to {MAX_SIZE}")
    if out.is_file():
        raise GaussianTalkerError(f"{out} is a file; name a folder to write the capture to")
    probe(source)  # What is no video is refused before anything is written.
    stages = Stages(out / RECORD, _record(out, source, size, consent))
    _run(stages, source, out, size, progress)
    stages.record["frames"] = stages.record["stages"]["ingest"]["facts"]["frames"]
    stages.save()
    if stages.ran:
        verdict = stages.record["stages"]["report"]["facts"]["verdict"]
        progress.note(f"the capture is {verdict}; see {out / 'report.html'}")
    if stages.record["consent"] == NO_CONSENT:
        progress.note("consent: not recorded; say who is seen here and that they agreed (consent=...)")
    return Capture.load(out)


def _record(out: Path, source: Path, size: int, consent: str | None) -> dict[str, Any]:
    """The folder's own record, or a new one; a folder that holds something else is left alone."""
    if (out / RECORD).exists():
        record = read_json(out / RECORD)
        if record.get("format") != FORMAT:
            raise GaussianTalkerError(
                f"{out} is a capture of another format ({record.get('format')}); name another folder"
            )
    elif out.exists() and any(out.iterdir()):
        raise GaussianTalkerError(f"{out} holds other files; name an empty or a new folder")
    else:
        record = {"format": FORMAT}
    licences = {name: pretrained.MODELS[name].licence for name in _MODELS}
    record.update(source=source.name, size=size, fps=FPS, models=licences)
    record["consent"] = consent or record.get("consent", NO_CONSENT)
    return record


def _run(stages: Stages, source: Path, out: Path, size: int, progress: Progress) -> None:
    """Each stage imports what it needs when it is run, not when it is skipped."""
    out.mkdir(parents=True, exist_ok=True)

    def ingest() -> dict[str, Any]:
        from gaussiantalker.capture.ingest import ingest

        return ingest(source, out, size, progress)

    def tracking() -> dict[str, Any]:
        from gaussiantalker.capture.tracking import track

        return track(out, size, progress)

    def labels() -> dict[str, Any]:
        from gaussiantalker.capture.parser import load_parser
        from gaussiantalker.capture.segmentation import segment

        net = load_parser(pretrained.path("face-parser", progress))
        return segment(out / "frames.npy", out / "labels.npy", net, progress)

    def plates() -> dict[str, Any]:
        from gaussiantalker.capture.plates import make_plates

        return make_plates(out, progress)

    def points() -> dict[str, Any]:
        from gaussiantalker.capture.points import make_points

        return make_points(out, stages.record["stages"]["tracking"]["facts"]["camera"], progress)

    def report() -> dict[str, Any]:
        from gaussiantalker.capture.report import make_report

        return make_report(out, stages.record, progress)

    video = {"sha256": digest_file(source), "size": size}
    stages.run("ingest", 3, video, [], ["frames.npy", "landmarks.npy", "faces.npz", "audio.wav"], ingest)
    stages.run("tracking", 4, {}, ["ingest"], ["tracking.npz"], tracking)
    stages.run("labels", 2, {}, ["ingest"], ["labels.npy"], labels)
    stages.run("plates", 3, {}, ["ingest", "labels"], ["background.png", "plates.npy"], plates)
    stages.run("points", 2, {}, ["tracking", "labels"], ["points.npz"], points)
    told = {key: stages.record[key] for key in ("source", "consent")}
    stages.run("report", 1, told, ["ingest", "tracking", "labels", "plates"], ["report.html"], report)
