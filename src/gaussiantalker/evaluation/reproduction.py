"""Trains and measures what stands in a table of the paper, and puts both side by side."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.assessment import evaluate
from gaussiantalker.evaluation.papers import COLUMNS, OWN_COLUMN, OWN_DRIVEN_COLUMN, Row, Table, find_table
from gaussiantalker.evaluation.record import shown
from gaussiantalker.media.files import atomic_path, read_json, write_json
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.timing import FPS
from gaussiantalker.training import Schedule, train
from gaussiantalker.training.schedule import find_schedule

PRESETS = {"fast": "demo", "paper": "standard"}


@dataclass(frozen=True)
class Materials:
    """What a reproduction can use besides the capture, as in `evaluate`."""

    truth: Path | None = None
    audio: Path | None = None
    syncnet: Path | None = None


def reproduce(
    number: int,
    capture: str | Path,
    out: str | Path,
    *,
    preset: str = "fast",
    materials: Materials | None = None,
    progress: Progress = SILENT,
) -> str:
    """Trains every row of one of the paper's tables on a capture and writes `table-N.json` and `table-N.md` into `out`.

    Avatars are kept in `out`, shared between tables, and not trained again. Returns the Markdown.

    Raises:
        GaussianTalkerError: no such table or preset, no capture, or a cross-driven table without `materials.audio`.
    """
    table, materials, out = find_table(number), materials or Materials(), Path(out)
    if preset not in PRESETS:
        raise GaussianTalkerError(f"There is no preset {preset!r}: choose one of {', '.join(PRESETS)}.")
    if table.driven and materials.audio is None:
        raise GaussianTalkerError(f"Table {number} is about other speech: name a recording with --audio.")
    source = Capture.load(capture)
    found = {}
    for row in table.rows:
        if row.method is not None:
            plan = schedule_of(row, find_schedule(PRESETS[preset]))
            found[row.title] = _measured(row.method, plan, Path(capture), out, materials, progress)
    result = {
        "table": number,
        "title": table.title,
        "preset": preset,
        "capture": source.path.resolve().name,
        "rows": {row.title: {"paper": row.paper, "here": _values(found.get(row.title), table)} for row in table.rows},
        "caveats": caveats(source, preset),
    }
    text = markdown(table, result)
    write_json(out / f"table-{number}.json", result)
    with atomic_path(out / f"table-{number}.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def schedule_of(row: Row, plan: Schedule) -> Schedule:
    """The plan with the row's share of the second stage, and without the first where the row leaves it out."""
    if row.share == 1 and row.canonical:
        return plan
    steps = max(1, round(plan.deformation_steps * row.share))
    canonical = plan.canonical_steps if row.canonical else 0
    name = f"{plan.name}-{canonical}-{steps}"
    return replace(plan, name=name, canonical_steps=canonical, deformation_steps=steps)


def caveats(capture: Capture, preset: str) -> list[str]:
    """In what this run differs from the paper's."""
    plan, paper = find_schedule(PRESETS[preset]), find_schedule(PRESETS["paper"])
    told = [
        f"another video: {capture.frames / FPS:.0f} s at {capture.size} pixels, where the paper uses 3 to 5 minutes of "
        "several people at 512 pixels, so values cannot agree and only their order is worth a comparison",
        "LPIPS and FID here are of a box around the head, LMD is of another landmark detector",
    ]
    if plan != paper:
        told.append(
            f"another schedule: {plan.canonical_steps:,} + {plan.deformation_steps:,} iterations with {plan.batch} "
            f"frame(s) a step, where the paper takes {paper.canonical_steps:,} + {paper.deformation_steps:,}"
        )
    return told


def markdown(table: Table, result: dict[str, Any]) -> str:
    """Every number as `paper / here`; a dash where there is none."""
    own = OWN_DRIVEN_COLUMN if table.driven else OWN_COLUMN
    lines = [
        f"## Table {table.number}: {table.title}",
        f"Capture `{result['capture']}`, preset `{result['preset']}`. Each cell: paper / here.",
        "",
        f"| | {' | '.join(table.columns)} | our sync score, r |",
        "|---" * (len(table.columns) + 2) + "|",
    ]
    for row in table.rows:
        here = result["rows"][row.title]["here"]
        cells = [f"{_cell(row.paper.get(column))} / {_cell(here.get(COLUMNS[column][0]))}" for column in table.columns]
        lines.append(f"| {row.title} | {' | '.join(cells)} | {_cell(here.get(own))} |")
    return "\n".join([*lines, "", *(f"- {caveat}" for caveat in result["caveats"]), ""])


def _cell(value: float | None) -> str:
    return "–" if value is None else shown(value)


def _measured(
    method: str, plan: Schedule, capture: Path, out: Path, materials: Materials, progress: Progress
) -> dict[str, Any]:
    """The metrics of one avatar, trained and evaluated unless that is done already."""
    avatar = out / f"{method.replace('/', '-')}-{plan.name}"
    progress.note(f"{avatar.name}:")
    train(capture, avatar, method=method, schedule=plan, progress=progress)
    done = avatar / "evaluation.json"
    if not done.is_file() or done.stat().st_mtime < (avatar / "avatar.json").stat().st_mtime:
        evaluate(
            avatar,
            capture,
            truth=materials.truth,
            audio=materials.audio,
            syncnet=materials.syncnet,
            progress=progress,
        )
    return read_json(done)["metrics"]


def _values(metrics: dict[str, Any] | None, table: Table) -> dict[str, float | None]:
    if metrics is None:
        return {}
    keys = [*(COLUMNS[column][0] for column in table.columns), OWN_DRIVEN_COLUMN if table.driven else OWN_COLUMN]
    return {key: metrics.get(key, {}).get("value") for key in keys}
