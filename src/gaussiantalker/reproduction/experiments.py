"""Trains and measures what stands in a table of a paper, and puts both side by side."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gaussiantalker import hardware
from gaussiantalker.capture import Capture
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.errors import GaussianTalkerError, chosen
from gaussiantalker.evaluation.held_out import EVERY_FRAME, Inputs, Reference, Rendering
from gaussiantalker.evaluation.metric import available
from gaussiantalker.evaluation.metrics import METRICS, measure
from gaussiantalker.evaluation.mouth import LONGEST_AUDIO
from gaussiantalker.evaluation.record import Measured, has_keys
from gaussiantalker.evaluation.syncnet import SyncNet
from gaussiantalker.media.audio import read_audio
from gaussiantalker.media.files import atomic_path, existing_file, read_json, write_json
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.reproduction.papers import DEFORMATION_STEPS, Row, Table, find_table, milestones
from gaussiantalker.reproduction.table_text import markdown
from gaussiantalker.speaking import Avatar
from gaussiantalker.splatting.cpu import prepare
from gaussiantalker.timing import FPS
from gaussiantalker.training import SCHEDULES, Schedule, train
from gaussiantalker.training.train import kept

_PRESETS = {"fast": "fast", "demo": "demo", "paper": "standard"}
_FID_FRAMES = {"fast": 32, "demo": 32, "paper": EVERY_FRAME}  # its network is slow
SCORES, TIMES = "scores.json", "training-time.json"
TRAINING_TIME = "training_cpu_minutes"  # a number of the training, which no rendering tells


def reproduce(
    name: str,
    capture: str | Path,
    out: str | Path,
    *,
    preset: str = "fast",
    seeds: int = 1,
    audio: str | Path | None = None,
    syncnet: str | Path | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
) -> str:
    """Trains every row of a table on a capture, measures its columns, and writes `table-NAME.json` and `.md` to `out`.

    Both files are written anew after every row. Avatars are kept in `out`, shared between tables, and trained and
    measured once. With several `seeds` each row is trained as often, and differences are judged by how much the
    trainings of a row differ. `device` is where avatars are trained and speak. Returns the Markdown.

    Raises:
        GaussianTalkerError: no such table, preset or device, no capture, a cross-driven table without `audio`, or files
            of the table's name that are something else.
    """
    table, out = find_table(name), Path(out)
    chosen("preset", preset, _PRESETS)
    if seeds < 1:
        raise GaussianTalkerError(f"There cannot be {seeds} trainings a row: give --seeds 1 or more.")
    if table.driven and audio is None:
        raise GaussianTalkerError(f"Table {name} is about other speech: name a recording with --audio.")
    hardware.device(device)
    source, plan = Capture.load(capture), _plan(preset)
    _check_table(out, table)
    given = Inputs(
        audio=None if audio is None else read_audio(audio, whole=True)[:LONGEST_AUDIO],
        syncnet=None if syncnet is None else SyncNet.load(existing_file(syncnet, "SyncNet weights")),
        fid_frames=_FID_FRAMES[preset],
    )
    reference = Reference(source, given, lambda: Landmarker(progress=progress), progress)
    experiments = _Experiments(out, plan, reference, "" if audio is None else Path(audio).name, device)
    result = {
        "table": name,
        "title": table.title,
        "preset": preset,
        "seeds": seeds,
        "capture": source.path.resolve().name,
        "hardware": hardware.describe(),
        "caveats": [*table.notes, *_caveats(source, plan)],
        "rows": {row.title: {"paper": row.paper, "here": {}} for row in table.rows},
    }
    prepare(progress)
    for seed in range(seeds):
        for row in (row for row in table.rows if row.method is not None):
            here = result["rows"][row.title]["here"]
            for column, key in table.keys.items():
                value = experiments.scores(row, seed, list(table.keys.values())).get(key, {}).get("value")
                here.setdefault(column, []).append(value)
            _write(out, table, result)
    return markdown(table, result)


def _check_table(out: Path, table: Table) -> None:
    """Raises GaussianTalkerError when the table's files are there and are not such a table's."""
    values, text = (out / f"table-{table.name}.{ending}" for ending in ("json", "md"))
    for path in (values, text):
        if path.exists() and not has_keys(values, "table", "preset", "rows"):
            raise GaussianTalkerError(f"{path} is not a table that reproduce wrote: choose another --out.")


def _write(out: Path, table: Table, result: dict[str, Any]) -> None:
    write_json(out / f"table-{table.name}.json", result)
    with atomic_path(out / f"table-{table.name}.md") as temporary:
        temporary.write_text(markdown(table, result), encoding="utf-8")


@dataclass
class _Experiments:
    """The avatars of all tables, trained once each, with their numbers beside them.

    Heads stand before the recorded torso, as in the papers' measurements.
    """

    out: Path
    plan: Schedule
    reference: Reference
    audio: str  # name of the other speech
    device: str
    _known: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def scores(self, row: Row, seed: int, keys: list[str]) -> dict[str, Any]:
        """What is known of the row's avatar, after measuring what is not."""
        folder = self.avatar(row, seed)
        if folder not in self._known:
            self._known[folder] = _read_scores(folder)
        known = self._known[folder]
        missing = [key for key in keys if key not in known or self._outdated(key, known[key])]
        if missing:
            found = self._measured(folder, [key for key in missing if key in METRICS])
            if TRAINING_TIME in missing:
                found[TRAINING_TIME] = _training_time(folder)
            known |= {key: score.as_json() | {"audio": self.audio} for key, score in found.items()}
            write_json(folder / SCORES, known)
        return known

    def _measured(self, folder: Path, keys: list[str]) -> dict[str, Measured]:
        avatar = Avatar.load(folder, self.reference.progress, self.device, exact=True)
        with tempfile.TemporaryDirectory() as scratch:
            return measure(Rendering.of(avatar, folder, self.reference, Path(scratch)), keys)

    def _outdated(self, key: str, score: dict[str, Any]) -> bool:
        """Whether it was measured with less than is at hand now, or with other speech."""
        if key not in METRICS:
            return False
        need = METRICS[key].needs
        if need == "audio":
            return score["audio"] != self.audio
        return bool(need) and score["value"] is None and available(need, self.reference.inputs)

    def avatar(self, row: Row, seed: int) -> Path:
        """The folder of the row's avatar, trained unless it is there already."""
        if row.method is None:
            raise ValueError(f"{row.title} is known from its paper alone.")
        plan, progress = _schedule_of(row, self.plan), self.reference.progress
        whole = self.out / f"{row.method.replace('/', '-')}-{plan.name}-seed{seed}"
        steps = [_steps(plan, share) for share in milestones(row.method, row.canonical)]
        if not (whole / "avatar.json").is_file():
            progress.note(f"{whole.name}:")
            with _timed(whole):
                options = {"method": row.method, "schedule": plan, "seed": seed, "torso": "plates", "keep": steps}
                train(self.reference.capture.path, whole, **options, device=self.device, progress=progress)
        return whole if row.share == 1 else kept(whole, _steps(plan, row.share))


def _schedule_of(row: Row, plan: Schedule) -> Schedule:
    """The plan, without its first stage where the row leaves it out."""
    return plan if row.canonical else replace(plan, name=f"{plan.name}-deformation", canonical_steps=0)


def _steps(plan: Schedule, share: float) -> int:
    return max(1, round(plan.deformation_steps * share))


@contextmanager
def _timed(folder: Path) -> Iterator[None]:
    """Adds the processor time of what is done inside to the folder's record, also when it is interrupted."""
    record = folder / TIMES
    before = read_json(record)["cpu_seconds"] if record.is_file() else 0.0
    began = time.process_time()
    try:
        yield
    finally:
        write_json(record, {"cpu_seconds": round(before + time.process_time() - began, 1)})


def _training_time(folder: Path) -> Measured:
    seconds = read_json(folder / TIMES)["cpu_seconds"]
    note = "from the capture to the written avatar"
    return Measured("Processor time of the training", seconds / 60, "min", "lower", note=note)


def _read_scores(folder: Path) -> dict[str, Any]:
    """What was measured of this avatar before; nothing when it was trained anew since."""
    file = folder / SCORES
    if file.is_file() and file.stat().st_mtime >= (folder / "avatar.json").stat().st_mtime:
        return read_json(file)
    return {}


def _plan(preset: str) -> Schedule:
    """Without a finish, as in the papers."""
    return replace(SCHEDULES[_PRESETS[preset]], finish_steps=0)


def _caveats(capture: Capture, plan: Schedule) -> list[str]:
    """In what this run differs from the paper's."""
    paper = _plan("paper")
    told = [
        f"another video: {capture.frames / FPS:.0f} s at {capture.size} pixels, "
        f"{capture.frames - capture.train_frames} frames held out, where the papers use 3 to 5 minutes of several "
        "people at 512 pixels, so values cannot agree and only differences are worth a comparison",
        "LPIPS and FID here are of a box around the head, LMD is of another landmark detector; FID of so few frames "
        "is biased upwards",
        "minutes and pictures per second are processor time of one process here, and of a GPU in the papers",
    ]
    if plan != paper:
        told.append(
            f"another schedule: {plan.canonical_steps:,} + {plan.deformation_steps:,} iterations with {plan.batch} "
            f"frame(s) a step and {plan.points:,} Gaussians, where GaussianTalker's takes {paper.canonical_steps:,} + "
            f"{DEFORMATION_STEPS:,} with 32 and some 40,000"
        )
    return told
