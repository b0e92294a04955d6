"""Where a training step goes: data, network, splatting, losses, optimiser; and how long the whole takes.

    python benchmarks/training.py                                  # GaussianTalker*, 15,000 Gaussians, one thread
    python benchmarks/training.py --threads 2 --steps 100 --perceptual-every 4 --json training.json

Pictures are noise and the head is the synthetic one of benchmarks/splatting.py: what is learnt costs nothing. Shares
are CPU milliseconds of a step that is cut at the tensors between its parts, forward and backward of each counted
together; the whole is the trainer's own step, in wall and CPU milliseconds. Medians. Every row runs in a process of
its own.
"""

import json
import multiprocessing
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import torch
import tyro
from heads import camera, head
from rich.console import Console
from rich.table import Table
from steps import PARTS, cut_step

from gaussiantalker import hardware
from gaussiantalker.hardware import keep_memory
from gaussiantalker.splatting import Gaussians
from gaussiantalker.talker import Footage, Talker, fast_products, find_method
from gaussiantalker.training.schedule import SCHEDULES
from gaussiantalker.training.trainer import STAGES, Trainer

FRAMES, CHANNELS, WARM_UP = 40, 32, 3


@dataclass
class Options:
    method: str = "gaussiantalker-star"
    """Method to train."""
    sizes: tuple[int, ...] = (256, 512)
    """Picture sizes, in pixels."""
    count: int = 15_000
    """Gaussians."""
    schedule: str = "demo"
    """Schedule whose losses, batch and harmonics are used."""
    perceptual_every: int = 0
    """Steps between two looks of the perceptual loss; 0 leaves it out. It needs its network's weights."""
    perceptual_patch: int = 128
    """Side of what it looks at, in pixels."""
    threads: int = 1
    """Threads torch and the kernels may use."""
    steps: int = 20
    """Steps to take the median of."""
    json: Path | None = None
    """Where to write the rows."""


class NoiseFootage(Footage):
    """Frames of noise under one pose."""

    def __init__(self, size: int, code: bool):
        rng = np.random.default_rng(0)
        pictures = rng.integers(0, 256, (FRAMES, size, size, 3), dtype=np.uint8)
        labels = (pictures[..., 0] < 100).astype(np.uint8)
        tracking = SimpleNamespace(lip_opening=rng.random(FRAMES))
        self.capture = SimpleNamespace(images=pictures, plates=pictures[::-1], labels=labels, tracking=tracking)
        self.torso, self.seen = None, {}
        view, K = camera(size)
        self.viewmats, self.K = view.repeat(FRAMES, 1, 1), K[0]
        self.viewmats[:, 0, 3] = 0.02 * torch.randn(FRAMES)
        self.blink = torch.rand(FRAMES)
        shape = (CHANNELS,) if code else (8, 16, CHANNELS)
        self.heard = rng.normal(size=(FRAMES, *shape)).astype(np.float32)
        box = np.array([[0.4, 0.6, 0.6, 0.7]]) * size
        self.lips = self.eyes = np.repeat(box.astype(np.int64), FRAMES, axis=0)


def a_trainer(options: Options, size: int, stage: int) -> Trainer:
    torch.manual_seed(0)
    schedule = replace(
        SCHEDULES[options.schedule],
        grow_below=0,  # what grows cannot be compared
        weight_perceptual=0.01 if options.perceptual_every else 0.0,
        perceptual_every=options.perceptual_every or 1,
        perceptual_patch=options.perceptual_patch,
    )
    start = head(options.count, schedule.sh_degree)
    raw = {
        "means": start["means"],
        "log_scales": start["scales"].log(),
        "quats": start["quats"],
        "opacity_logits": start["opacities"].logit(),
        "sh": start["colors"],
    }
    talker = Talker(find_method(options.method), Gaussians.from_dict(raw), CHANNELS)
    footage = NoiseFootage(size, "mouth" in talker.conditions)
    trainer = Trainer(talker, footage, np.arange(FRAMES), schedule, seed=0)
    trainer.stage = stage
    trainer._prepare_stage()
    return trainer


@fast_products()
def measure(options: Options, size: int, stage: int) -> dict:
    """One row, in milliseconds."""
    torch.set_num_threads(options.threads)
    keep_memory()
    trainer = a_trainer(options, size, stage)
    whole = (trainer._canonical_step, trainer._deformation_step)[stage]
    spent: dict[str, list[float]] = defaultdict(list)
    for lap in range(WARM_UP + options.steps):
        trainer.step = lap
        cut_step(trainer, spent, time.process_time)
        wall, cpu = time.perf_counter(), time.process_time()
        whole()
        spent["cpu"].append(1e3 * (time.process_time() - cpu))
        spent["wall"].append(1e3 * (time.perf_counter() - wall))
    medians = {name: median(laps[WARM_UP:]) for name, laps in spent.items()}
    return {"stage": STAGES[stage], "size": size, "count": options.count, "threads": options.threads} | medians


def table(rows: list[dict]) -> Table:
    result = Table("stage", "picture", *PARTS, "whole, CPU", "whole, wall", title="Milliseconds a step")
    for row in rows:
        total = sum(row[part] for part in PARTS)
        shares = [f"{row[part]:.1f} ({row[part] / total:.0%})" for part in PARTS]
        result.add_row(row["stage"], f"{row['size']}²", *shares, f"{row['cpu']:.1f}", f"{row['wall']:.1f}")
    return result


def main(options: Options) -> None:
    rows = []
    for size in options.sizes:
        for stage in range(len(STAGES)):
            with multiprocessing.get_context("spawn").Pool(1) as worker:
                rows.append(worker.apply(measure, (options, size, stage)))
    Console(width=140).print(table(rows))
    if options.json:
        facts = {**asdict(options), "json": None, "machine": hardware.describe(), "load": hardware.load()}
        options.json.write_text(json.dumps(facts | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
