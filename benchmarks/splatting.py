"""What the CPU rasterizer costs: forward, and forward with backward, against the torch reference in the same run.

    python benchmarks/splatting.py                          # the head-like scene of 15,000 and 30,000 Gaussians
    python benchmarks/splatting.py --counts 5000 15000 30000 100000 200000 --sizes 256 512 1024 --json cost.json
    python benchmarks/splatting.py --plot cost.svg

Times are of the best lap: CPU time of the process on one thread, and wall time on all threads, which needs idle cores
to mean anything. Each row runs in a process of its own, whose peak memory beyond the imports is reported.
"""

import json
import math
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

LAPS, SLOW_LAPS = 15, 1


@dataclass
class Options:
    counts: tuple[int, ...] = (15_000, 30_000)
    """Numbers of Gaussians."""
    sizes: tuple[int, ...] = (256, 512)
    """Picture sizes, in pixels."""
    sh_degree: int = 2
    """Degree of the spherical harmonics."""
    reference: bool = True
    """Compare with the torch reference, which takes seconds a picture."""
    json: Path | None = None
    """Where to write the rows."""
    plot: Path | None = None
    """Where to draw the cost, as SVG."""


def measure(count: int, size: int, sh_degree: int, with_reference: bool) -> dict:
    """One row of the table, in milliseconds and megabytes."""
    import torch
    from heads import camera, head

    from gaussiantalker import hardware
    from gaussiantalker.hardware import keep_memory
    from gaussiantalker.splatting import rasterize

    keep_memory()
    leaves = {name: values.requires_grad_() for name, values in head(count, sh_degree).items()}
    viewmats, Ks = camera(size)
    weights = torch.randn(1, size, size, 3)
    options = {"viewmats": viewmats, "Ks": Ks, "width": size, "height": size, "sh_degree": sh_degree}
    options["backgrounds"] = torch.ones(1, 3)

    def forward(backend: str) -> None:
        with torch.no_grad():
            rasterize(**leaves, **options, backend=backend)

    def both(backend: str) -> None:
        for leaf in leaves.values():
            leaf.grad = None
        rasterize(**leaves, **options, backend=backend)[0].backward(weights)

    with torch.no_grad():  # loads or compiles the kernels
        rasterize(**head(1, sh_degree), **options | {"width": 1, "height": 1})
    before = hardware.peak_memory_bytes()
    row = {"count": count, "size": size, "sh_degree": sh_degree}
    for name, function in (("forward", forward), ("both", both)):
        torch.set_num_threads(1)
        row[f"{name} cpu"] = _best(lambda run=function: run("numba"), LAPS, time.process_time)
        torch.set_num_threads(hardware.cores())
        row[f"{name} wall"] = _best(lambda run=function: run("numba"), LAPS, time.perf_counter)
    row["memory"] = (hardware.peak_memory_bytes() - before) / 2**20
    if with_reference:
        torch.set_num_threads(1)
        for name, function in (("forward", forward), ("both", both)):
            row[f"{name} reference"] = _best(lambda run=function: run("reference"), SLOW_LAPS, time.process_time)
    return row


def _best(function, laps: int, clock) -> float:
    """Milliseconds of the fastest lap, after one to warm up."""
    function()
    times = []
    for _ in range(laps):
        begin = clock()
        function()
        times.append((clock() - begin) * 1e3)
    return min(times)


def table(rows: list[dict]) -> Table:
    columns = ["Gaussians", "picture", "forward", "+ backward", "reference / ours", "all threads", "memory"]
    result = Table(*columns, title="CPU ms on one thread; wall ms on all (forward, + backward)")
    for row in rows:
        names = [name for name in ("forward", "both") if f"{name} reference" in row]
        ratios = [row[f"{name} reference"] / row[f"{name} cpu"] for name in names]
        result.add_row(
            f"{row['count']:,}",
            f"{row['size']}²",
            f"{row['forward cpu']:.2f}",
            f"{row['both cpu']:.2f}",
            " · ".join(f"{ratio:.0f}x" for ratio in ratios) or "not measured",
            f"{row['forward wall']:.2f} · {row['both wall']:.2f}",
            f"{row['memory']:.0f} MB",
        )
    return result


def plot(rows: list[dict]) -> str:
    """Cost of forward and backward against the number of Gaussians, a line per picture size, both axes logarithmic."""
    width, height, margin = 560, 360, 60
    counts, costs = [row["count"] for row in rows], [row["both cpu"] for row in rows]
    bounds = [(math.log10(min(values) / 1.3), math.log10(max(values) * 1.3)) for values in (counts, costs)]

    def place(value: float, axis: int) -> float:
        low, high = bounds[axis]
        part = (math.log10(value) - low) / (high - low)
        return margin + part * (width - 2 * margin) if axis == 0 else height - margin - part * (height - 2 * margin)

    frame = f'width="{width}" height="{height}" font-family="sans-serif" font-size="12"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {frame}><rect width="100%" height="100%" fill="white"/>']
    for colour, size in zip(("#2a6", "#26a", "#a26", "#862"), sorted({row["size"] for row in rows}), strict=False):
        line = sorted((row["count"], row["both cpu"]) for row in rows if row["size"] == size)
        points = [(place(count, 0), place(cost, 1)) for count, cost in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(f'<text x="{points[-1][0] + 6:.1f}" y="{points[-1][1] + 4:.1f}" fill="{colour}">{size}²</text>')
    for count in sorted(set(counts)):
        x = place(count, 0)
        parts.append(f'<text x="{x:.1f}" y="{height - margin + 18}" text-anchor="middle">{count // 1000}k</text>')
    for cost in (1, 2, 5, 10, 20, 50, 100, 200):
        if bounds[1][0] <= math.log10(cost) <= bounds[1][1]:
            y = place(cost, 1)
            parts.append(f'<text x="{margin - 8}" y="{y + 4:.1f}" text-anchor="end">{cost}</text>')
            parts.append(f'<path d="M{margin} {y:.1f}H{width - margin}" stroke="#ddd"/>')
    parts.append(f'<text x="{margin}" y="{margin - 20}">CPU ms, forward and backward, one thread</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 12}" text-anchor="middle">Gaussians</text></svg>')
    return "\n".join(parts) + "\n"


def main(options: Options) -> None:
    rows = []
    for size in options.sizes:
        for count in options.counts:
            with multiprocessing.get_context("spawn").Pool(1) as worker:
                rows.append(worker.apply(measure, (count, size, options.sh_degree, options.reference)))
    Console(width=110).print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    if options.plot:
        options.plot.write_text(plot(rows))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
