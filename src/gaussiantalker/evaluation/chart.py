"""Charts as inline SVG: lines, over a waveform and what is said where there is sound, and histograms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

WIDTH, HEIGHT = 960, 240
_PIXELS_PER_SECOND = 160  # of a chart with phones, so that their names can be read
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 34
_RIBBON = 16  # height of the row of phones
_STEPS = np.array([1.0, 2.0, 5.0])
_NARROWEST = 6  # pixels a letter of a phone's name needs
_Scale = Callable[[Any], Any]  # of an array, or of one number


@dataclass(frozen=True)
class Line:
    """One line of a chart; where a value is NaN it has a gap."""

    label: str
    values: np.ndarray  # [N]
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Sound:
    """What is heard along a chart's horizontal axis of seconds."""

    samples: np.ndarray  # [S] 16 kHz
    seconds: float
    silent: np.ndarray  # bool [N], one for each value of the lines
    phones: Sequence[tuple[str, float, float, str]]  # name, start and end in seconds, colour


def chart(x: np.ndarray, lines: Sequence[Line], x_label: str, y_label: str, sound: Sound | None = None) -> str:
    """An SVG picture of lines over x [N]; over sound, its waveform lies behind them and silence is grey."""
    known = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    # A difference that rounding could make is none.
    high = high if high - low > 1e-9 * max(1.0, abs(low), abs(high)) else low + 1.0
    right = float(x[-1]) if x[-1] > x[0] else float(x[0]) + 1.0
    right = right if sound is None else sound.seconds
    width, ribbon = WIDTH, 0
    if sound is not None and sound.phones:
        width, ribbon = max(WIDTH, round(sound.seconds * _PIXELS_PER_SECOND)), _RIBBON
    floor = HEIGHT - _BOTTOM - ribbon

    def across(value: Any) -> Any:
        return _LEFT + (value - x[0]) / (right - x[0]) * (width - _LEFT - _RIGHT)

    def down(value: Any) -> Any:
        return floor - (value - low) / (high - low) * (floor - _TOP)

    parts = [] if sound is None else _sound(sound, x, across, width, floor)
    for tick in _ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{down(tick):.1f}" y2="{down(tick):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{down(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts += _foot(float(x[0]), right, across, width, x_label, y_label)
    for line in lines:
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path d="{_path(across(x), down(line.values))}" stroke="{line.colour}"{dash}/>')
    return _picture(parts, width, f"{y_label} over {x_label}") + _legend(lines)


def histogram(values: np.ndarray, marks: Sequence[tuple[str, float, str]], x_label: str, y_label: str) -> str:
    """How often values [N] fall where, with upright marks (label, place, colour); the last bin holds the far tail."""
    places = [place for _, place, _ in marks]
    high = max(float(np.percentile(values, 99)), *places) * 1.05
    counts, edges = np.histogram(np.minimum(values, high), bins=48, range=(0.0, high))

    def across(value: Any) -> Any:
        return _LEFT + value / high * (WIDTH - _LEFT - _RIGHT)

    floor, step = HEIGHT - _BOTTOM, (HEIGHT - _BOTTOM - _TOP) / counts.max()
    parts = [
        f'<rect class="bar" x="{across(left):.1f}" y="{floor - count * step:.1f}" '
        f'width="{across(right) - across(left) - 1:.1f}" height="{count * step:.1f}"/>'
        for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True)
        if count
    ]
    for tick in _ticks(0.0, float(counts.max())):
        y = floor - tick * step
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts += _foot(0.0, high, across, WIDTH, x_label, y_label)
    for _, place, colour in marks:
        parts.append(f'<path d="M{across(place):.1f} {_TOP}V{floor}" stroke="{colour}"/>')
    lines = [Line(f"{label}: {place:.3g}", np.empty(0), colour) for label, place, colour in marks]
    return _picture(parts, WIDTH, f"{y_label} over {x_label}") + _legend(lines)


def _ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from low to high, some five of them."""
    rough = (high - low) / about
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(min(_STEPS[_STEPS * power >= rough * 0.999], default=10.0)) * power
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [round(float(k * step), 12) + 0.0 for k in np.arange(first, last + 1)]


def _picture(parts: Sequence[str], width: int, label: str) -> str:
    """Wider pictures than the page keep their size and are scrolled."""
    size = f' style="width:{width}px"' if width > WIDTH else ""
    svg = f'<svg viewBox="0 0 {width} {HEIGHT}"{size} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    return f'<div class="scroll">{svg}</div>'


def _foot(low: float, high: float, across: _Scale, width: int, x_label: str, y_label: str) -> list[str]:
    parts = [
        f'<text x="{across(tick):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{tick:g}</text>'
        for tick in _ticks(low, high, about=max(5, width // 200))
    ]
    parts.append(f'<text x="{width - _RIGHT}" y="{HEIGHT - 3}" text-anchor="end">{escape(x_label)}</text>')
    return [*parts, f'<text x="{_LEFT}" y="{HEIGHT - 3}">{escape(y_label)}</text>']


def _sound(sound: Sound, x: np.ndarray, across: _Scale, width: int, floor: int) -> list[str]:
    parts = [
        f'<rect class="shade" x="{across(x[a]):.1f}" y="{_TOP}" width="{across(x[b]) - across(x[a]):.1f}" '
        f'height="{floor - _TOP}"/>'
        for a, b in _stretches(sound.silent)
    ]
    parts.append(f'<path class="wave" d="{_wave(sound, across, width, floor)}"/>')
    for name, start, end, colour in sound.phones:
        left, right = float(across(start)), min(float(across(end)), width - _RIGHT)
        if right <= left:
            continue
        box = f'x="{left:.1f}" y="{floor + 1}" width="{max(right - left - 0.7, 0.3):.1f}" height="{_RIBBON - 2}"'
        parts.append(f'<rect class="phone" {box} fill="{colour}"><title>{escape(name)}</title></rect>')
        if right - left > _NARROWEST * len(name):
            middle = f'x="{(left + right) / 2:.1f}" y="{floor + 11.5}"'
            parts.append(f'<text class="phone" {middle} text-anchor="middle">{escape(name)}</text>')
    return parts


def _wave(sound: Sound, across: _Scale, width: int, floor: int) -> str:
    """The outline of the waveform, as high as the chart at its loudest."""
    columns = (width - _LEFT - _RIGHT) // 2
    edges = np.linspace(0, len(sound.samples), columns + 1).astype(int)
    pieces = [sound.samples[a : max(b, a + 1)] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    ends = np.array([(piece.max(), piece.min()) if len(piece) else (0.0, 0.0) for piece in pieces])
    loudest = max(float(np.abs(ends).max()), 1e-6)
    middle, half = (floor + _TOP) / 2, (floor - _TOP) / 2
    heights = middle - ends / loudest * half
    places = across((np.arange(columns) + 0.5) / columns * sound.seconds)
    above = [f"{px:.1f} {py:.1f}" for px, py in zip(places, heights[:, 0], strict=True)]
    below = [f"{px:.1f} {py:.1f}" for px, py in zip(places[::-1], heights[::-1, 1], strict=True)]
    return "M" + "L".join(above + below) + "Z"


def _path(x: np.ndarray, y: np.ndarray) -> str:
    """Pen down over finite values, up over gaps."""
    words, drawing = [], False
    for px, py in zip(x, y, strict=True):
        if np.isfinite(py):
            words.append(f"{'L' if drawing else 'M'}{px:.1f} {py:.1f}")
        drawing = bool(np.isfinite(py))
    return "".join(words)


def _stretches(marks: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of every run of true values in bool [N]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(int)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _legend(lines: Sequence[Line]) -> str:
    items = (f'<span><i style="background:{line.colour}"></i>{escape(line.label)}</span>' for line in lines)
    return f'<p class="legend">{"".join(items)}</p>'
