"""report.html: one file that shows and tells everything, and needs no network."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from gaussiantalker.evaluation.curves import array, curves, latency_chart, phones_note, training_charts
from gaussiantalker.evaluation.film import COMPARISON, panels
from gaussiantalker.evaluation.headlines import first_numbers
from gaussiantalker.evaluation.held_out import Rendering
from gaussiantalker.evaluation.insight import Attention
from gaussiantalker.evaluation.record import shown
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.image import data_uri, resize

REPORT = "report.html"
_SIDE = 256
_LARGEST_EMBEDDED = 12_000_000  # bytes of video inside the page; a larger one is linked


def telling_frames(per_frame: dict[str, list[Any]]) -> dict[str, int]:
    """Best, median and worst frame by the head's PSNR, the most closed and the widest mouth, and a blink."""
    chosen: dict[str, int] = {}
    for key, places in (
        ("psnr_head", {"worst": 0.0, "median": 0.5, "best": 1.0}),
        ("lip_opening_truth", {"mouth shut": 0.0, "mouth open": 1.0}),
        ("blink_truth", {"eyes shut": 1.0}),
    ):
        values = array(per_frame[key])
        order = np.argsort(values)[: np.isfinite(values).sum()]
        for name, place in places.items():
            if len(order):
                chosen[name] = int(order[round(place * (len(order) - 1))])
    return chosen


def write_report(
    folder: Path,
    result: dict[str, Any],
    rendering: Rendering,
    attention: Sequence[Attention],
    planes: Sequence[tuple[str, np.ndarray]],
) -> None:
    """Writes `report.html` beside `comparison.mp4`, which must be there already."""
    template = Template((Path(__file__).parent / REPORT).read_text(encoding="utf-8"))
    over_time = curves(result, rendering.reference.audio)
    page = template.substitute(
        title=escape(f"{result['avatar']}, {result['method']}"),
        tiles=_tiles(result["metrics"]),
        video=_video(folder / COMPARISON, data_uri(panels(rendering.reference.images[0], rendering.images[0]))),
        strip=_strip(rendering, result["per_frame"]),
        curves="".join(f"<h3>{escape(title)}</h3>{drawn}" for title, drawn in over_time.items()),
        phones=escape(phones_note(result)),
        attention=_attention(rendering, attention),
        planes=_planes(planes),
        latency=latency_chart(result["latencies"]),
        training=training_charts(result["training_curve"]),
        table=_table(result["metrics"]),
        hardware=escape(", ".join(f"{name} {value}" for name, value in result["hardware"].items() if value)),
        notes="".join(f"<li>{escape(note)}</li>" for note in result["notes"]),
    )
    with atomic_path(folder / REPORT) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _tiles(metrics: dict[str, Any]) -> str:
    tiles = []
    for entry in first_numbers(metrics):
        unit, label = entry["unit"], entry["label"]
        # A unit of several words belongs to what is measured, not to the number.
        unit, label = ("", f"{label} ({unit})") if " " in unit else (unit, label)
        tiles.append(f"<div><b>{shown(entry['value'])} <small>{escape(unit)}</small></b>{escape(label)}</div>")
    return "".join(tiles)


def _video(path: Path, poster: str) -> str:
    return f'<video controls loop poster="{poster}" src="{video_source(path)}"></video>'


def video_source(path: Path) -> str:
    """The video itself as an address, or its name when it is too large for that."""
    data = path.read_bytes()
    if len(data) > _LARGEST_EMBEDDED:
        return path.name
    return "data:video/mp4;base64," + base64.b64encode(data).decode()


def _strip(rendering: Rendering, per_frame: dict[str, list[Any]]) -> str:
    quality = array(per_frame["psnr_head"])
    names: dict[int, list[str]] = {}
    for name, k in telling_frames(per_frame).items():
        names.setdefault(k, []).append(name)
    figures = []
    for k, said in names.items():
        picture = resize(panels(rendering.reference.images[k], rendering.images[k]), (3 * _SIDE, _SIDE))
        figures.append(
            _figure(picture, f"{', '.join(said)}; frame {rendering.reference.first + k}, {quality[k]:.1f} dB")
        )
    return "".join(figures)


def _attention(rendering: Rendering, found: Sequence[Attention]) -> str:
    if not found:
        return "<p>This method's fusion weighs no conditions: there is nothing to show.</p>"
    rows = []
    for attention in found:
        cells = [_figure(rendering.images[attention.frame - rendering.reference.first], f"frame {attention.frame}")]
        cells += [_figure(m, f"{name}, {attention.shares[name]:.0%}") for name, m in attention.maps.items()]
        rows.append(f'<div class="row" style="--cells:{len(cells)}">{"".join(cells)}</div>')
    return "".join(rows)


def _planes(planes: Sequence[tuple[str, np.ndarray]]) -> str:
    cells = "".join(_figure(picture, caption) for caption, picture in planes)
    return f'<div class="row" style="--cells:3">{cells}</div>'


def _figure(picture: np.ndarray, caption: str) -> str:
    image = f'<img alt="{escape(caption)}" src="{data_uri(picture)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(metrics: dict[str, Any]) -> str:
    rows = []
    for key, entry in metrics.items():
        value = f"{shown(entry['value'])} {entry['unit']}" if entry["measured"] else "not measured"
        better = {"higher": "↑", "lower": "↓", "": ""}[entry["better"]]
        details = "; ".join(part for part in (entry["region"], entry["model"], entry["note"]) if part)
        cells = (f"{entry['label']} {better}", value, str(entry["n"] or ""), details)
        kind = "" if entry["measured"] else ' class="missing"'
        rows.append(f'<tr title="{key}"{kind}>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>')
    return "".join(rows)
