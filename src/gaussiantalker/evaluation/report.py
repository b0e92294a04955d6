"""report.html: one file that shows and tells everything, and needs no network."""

import base64
import io
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from gaussiantalker.evaluation.chart import Line, chart
from gaussiantalker.evaluation.held_out import HeldOut
from gaussiantalker.evaluation.record import shown
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.image import resize
from gaussiantalker.timing import FPS

TILES = (
    "psnr_head",
    "ssim_head",
    "lpips_alex",
    "lmd",
    "lip_exact_correlation",
    "lip_correlation",
    "driven_sync_correlation",
    "frames_per_second",
    "training_minutes",
)
_TRUTH, _RENDER, _OTHER, _FAINT = "#2a9d8f", "#e76f51", "#577590", "#9aa0a6"
_DIFFERENCE_GAIN = 4
_PICTURE_SIDE = 256
_LARGEST_EMBEDDED = 12_000_000  # bytes of video inside the page; a larger one is linked


def write_report(folder: Path, result: dict[str, Any], held: HeldOut) -> None:
    """Writes `report.html` beside `comparison.mp4`, which must be there already."""
    template = Template((Path(__file__).parent / "report.html").read_text(encoding="utf-8"))
    page = template.substitute(
        title=escape(f"{result['avatar']}, {result['method']}"),
        tiles=_tiles(result["metrics"]),
        video=_video(folder / "comparison.mp4", _data(np.concatenate([held.truth[0], held.renders[0]], axis=1))),
        strip=_strip(held, result["per_frame"]),
        lips=_lip_chart(result["per_frame"]),
        quality=_quality_chart(result["per_frame"]),
        training=_training_chart(result["training_curve"]),
        table=_table(result["metrics"]),
        hardware=escape(", ".join(f"{name} {value}" for name, value in result["hardware"].items() if value)),
        notes="".join(f"<li>{escape(note)}</li>" for note in result["notes"]),
    )
    with atomic_path(folder / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _tiles(metrics: dict[str, Any]) -> str:
    tiles = []
    for entry in (metrics[key] for key in TILES if metrics.get(key, {}).get("measured")):
        value = f"{shown(entry['value'])} <small>{escape(entry['unit'])}</small>"
        tiles.append(f"<div><b>{value}</b>{escape(entry['label'])}</div>")
    return "".join(tiles)


def _video(path: Path, poster: str) -> str:
    return f'<video controls loop poster="{poster}" src="{video_source(path)}"></video>'


def video_source(path: Path) -> str:
    """The video itself as an address, or its name when it is too large for that."""
    data = path.read_bytes()
    if len(data) > _LARGEST_EMBEDDED:
        return path.name
    return "data:video/mp4;base64," + base64.b64encode(data).decode()


def _strip(held: HeldOut, per_frame: dict[str, list[float | None]]) -> str:
    """The best, the median and the worst frame by the head's PSNR, and the widest and the most closed mouth."""
    quality = _array(per_frame["psnr_head"])
    opening = _array(per_frame["lip_opening_truth"])
    chosen: dict[int, str] = {}
    for values, places in (
        (quality, {"worst": 0.0, "median": 0.5, "best": 1.0}),
        (opening, {"shut": 0.0, "open": 1.0}),
    ):
        order = np.argsort(values)[: np.isfinite(values).sum()]
        for name, place in places.items():
            if len(order):
                chosen.setdefault(int(order[round(place * (len(order) - 1))]), name)
    return "".join(
        _figure(held, k, f"{name}, frame {held.first + k}, {quality[k]:.1f} dB") for k, name in chosen.items()
    )


def _figure(held: HeldOut, k: int, caption: str) -> str:
    truth, render = (resize(np.asarray(p), (_PICTURE_SIDE, _PICTURE_SIDE)) for p in (held.truth[k], held.renders[k]))
    difference = np.abs(truth.astype(int) - render.astype(int)) * _DIFFERENCE_GAIN
    pictures = "".join(
        f'<img alt="" src="{_data(p)}">' for p in (truth, render, np.clip(difference, 0, 255).astype(np.uint8))
    )
    return f"<figure>{pictures}<figcaption>{escape(caption)}</figcaption></figure>"


def _data(picture: np.ndarray) -> str:
    """A picture as the address of itself."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "jpeg", quality=92)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def _lip_chart(per_frame: dict[str, list[Any]]) -> str:
    truth = _array(per_frame["lip_opening_truth"])
    lines = [
        Line("true video, tracked", truth, _TRUTH),
        Line("avatar, tracked", _array(per_frame["lip_opening_render"]), _RENDER),
        Line("expected from the sound", _array(per_frame["lip_opening_expected"]), _FAINT, dashed=True),
    ]
    if "lip_mm" in per_frame:
        lines.insert(1, Line("exact, brought to the same scale", _to_scale(_array(per_frame["lip_mm"]), truth), _OTHER))
    seconds = np.arange(len(truth)) / FPS
    return chart(
        seconds, lines, "seconds (grey: silence)", "lip opening / eye distance", ~np.array(per_frame["voiced"])
    )


def _to_scale(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Values on the mean and spread of another series, so that both fit into one chart."""
    both = np.isfinite(values) & np.isfinite(like)
    if not both.any() or values[both].std() == 0:
        return values
    return (values - values[both].mean()) / values[both].std() * like[both].std() + like[both].mean()


def _quality_chart(per_frame: dict[str, list[Any]]) -> str:
    head = _array(per_frame["psnr_head"])
    return chart(np.arange(len(head)) / FPS, [Line("head", head, _RENDER)], "seconds", "PSNR, dB")


def _training_chart(curve: list[list[float]]) -> str:
    if len(curve) < 2:
        return "<p>The avatar keeps no record of its training.</p>"
    steps, loss, psnr = np.array(curve, dtype=float).T
    quality = chart(steps, [Line("PSNR of the head, training frames", psnr, _RENDER)], "iteration", "dB")
    return quality + chart(steps, [Line("loss", loss, _OTHER)], "iteration", "loss")


def _table(metrics: dict[str, Any]) -> str:
    rows = []
    for key, entry in metrics.items():
        value = f"{shown(entry['value'])} {entry['unit']}" if entry["measured"] else "not measured"
        better = {"higher": "↑", "lower": "↓", "": ""}[entry["better"]]
        details = "; ".join(part for part in (entry["region"], entry["model"], entry["note"]) if part)
        cells = (f"{entry['label']} {better}", value, str(entry["n"] or ""), details)
        rows.append(f'<tr title="{key}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>')
    return "".join(rows)


def _array(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
