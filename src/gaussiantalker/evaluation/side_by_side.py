"""Several evaluated avatars in one page."""

import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.record import shown
from gaussiantalker.evaluation.report import video_source
from gaussiantalker.media.files import atomic_path, read_json

_TITLE = "<title>Avatars side by side</title>"


def compare(avatars: Sequence[str | Path], out: str | Path, *, force: bool = False) -> Path:
    """Writes one HTML page with the numbers and the comparison videos of avatars side by side.

    Raises:
        GaussianTalkerError: fewer than two avatars, one that was not evaluated, or a place `out` that holds something
            else than such a page, where `force` does not let it be replaced.
    """
    folders = [Path(avatar) for avatar in avatars]
    if len(folders) < 2:
        raise GaussianTalkerError("A comparison needs at least two avatars: name two evaluated folders.")
    results = [_evaluation(folder) for folder in folders]
    _check_page(Path(out), force)
    template = Template((Path(__file__).parent / "side_by_side.html").read_text(encoding="utf-8"))
    videos = (
        f'<figure><video controls loop preload="auto" src="{video_source(folder / "comparison.mp4")}"></video>'
        f"<figcaption>{escape(folder.resolve().name)}</figcaption></figure>"
        for folder in folders
    )
    page = template.substitute(
        names="".join(f"<th>{escape(folder.resolve().name)}</th>" for folder in folders),
        videos="".join(videos),
        rows="".join(_rows(results)),
        warning=escape(_warning(results)),
    )
    with atomic_path(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(out)


def _check_page(path: Path, force: bool) -> None:
    if path.is_dir():
        raise GaussianTalkerError(f"{path} is a folder: give the page a name with --out.")
    if path.exists() and not force and _TITLE.encode() not in path.read_bytes():
        raise GaussianTalkerError(
            f"{path} is not a page that compare wrote: choose another --out, or let it be replaced with --force."
        )


def _evaluation(folder: Path) -> dict[str, Any]:
    if not (folder / "evaluation.json").is_file():
        raise GaussianTalkerError(
            f"{folder} was not evaluated yet: run gaussiantalker evaluate {shlex.quote(str(folder))} first."
        )
    return read_json(folder / "evaluation.json")


def _rows(results: list[dict[str, Any]]) -> list[str]:
    """A row per metric that was measured anywhere; the best value of a row is bold."""
    keys = dict.fromkeys(key for result in results for key in result["metrics"])
    rows = []
    for key in keys:
        entries = [result["metrics"].get(key) for result in results]
        measured = [entry["value"] for entry in entries if entry and entry["measured"]]
        if not measured:
            continue
        first = next(entry for entry in entries if entry)
        choose = {"higher": max, "lower": min, "": lambda values: None}[first["better"]]
        best = choose(measured) if len(measured) > 1 else None
        cells = (_cell(entry, best) for entry in entries)
        arrow = {"higher": " ↑", "lower": " ↓", "": ""}[first["better"]]
        label = escape(f"{first['label']}{arrow} {first['unit']}")
        rows.append(f"<tr><td>{label}</td>{''.join(cells)}</tr>")
    return rows


def _cell(entry: dict[str, Any] | None, best: float | None) -> str:
    if entry is None or not entry["measured"]:
        return "<td>–</td>"
    value = shown(entry["value"])
    return f"<td><b>{value}</b></td>" if entry["value"] == best else f"<td>{value}</td>"


def _warning(results: list[dict[str, Any]]) -> str:
    """Numbers of different frames or machines do not belong into one row."""
    told = []
    if len({(result["capture"], result["size"], *result["held_out"]) for result in results}) > 1:
        told.append("These avatars were measured on different frames: their numbers are not comparable.")
    if len({result["hardware"]["processor"] for result in results}) > 1:
        told.append("Times come from different machines.")
    return " ".join(told)
