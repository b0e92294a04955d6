"""Line charts as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 960, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 34
_STEPS = np.array([1.0, 2.0, 5.0])


@dataclass(frozen=True)
class Line:
    """One line of a chart; where a value is NaN it has a gap."""

    label: str
    values: np.ndarray  # [N]
    colour: str
    dashed: bool = False


def chart(x: np.ndarray, lines: Sequence[Line], x_label: str, y_label: str, shaded: np.ndarray | None = None) -> str:
    """An SVG picture of lines over x [N], with the stretches where bool `shaded` [N] holds in grey."""
    known = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    # A difference that rounding could make is none.
    high = high if high - low > 1e-9 * max(1.0, abs(low), abs(high)) else low + 1.0
    right = float(x[-1]) if x[-1] > x[0] else float(x[0]) + 1.0

    def across(value: np.ndarray | float) -> np.ndarray | float:
        return _LEFT + (value - x[0]) / (right - x[0]) * (WIDTH - _LEFT - _RIGHT)

    def down(value: np.ndarray | float) -> np.ndarray | float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_label)} over {escape(x_label)}">']
    if shaded is not None:
        parts += [
            f'<rect class="shade" x="{across(x[a]):.1f}" y="{_TOP}" width="{across(x[b]) - across(x[a]):.1f}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"/>'
            for a, b in _stretches(shaded)
        ]
    for tick in ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{down(tick):.1f}" y2="{down(tick):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{down(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in ticks(float(x[0]), right):
        parts.append(f'<text x="{across(tick):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 3}" text-anchor="end">{escape(x_label)}</text>')
    parts.append(f'<text x="{_LEFT}" y="{HEIGHT - 3}">{escape(y_label)}</text>')
    for line in lines:
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path d="{_path(across(x), down(line.values))}" stroke="{line.colour}"{dash}/>')
    return "".join([*parts, "</svg>", _legend(lines)])


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from low to high, some five of them."""
    rough = (high - low) / about
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(min(_STEPS[_STEPS * power >= rough * 0.999], default=10.0)) * power
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [round(float(k * step), 12) + 0.0 for k in np.arange(first, last + 1)]


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
