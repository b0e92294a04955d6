"""A training step, part by part."""

from collections.abc import Callable

import torch

from gaussiantalker.talker import Splats, render
from gaussiantalker.training.trainer import Trainer

PARTS = ("data", "network", "splatting", "losses", "optimiser")


def cut_step(trainer: Trainer, spent: dict[str, list[float]], clock: Callable[[], float]) -> None:
    """One step whose graph is cut between its parts, and the milliseconds that each part took by the clock."""
    started = clock()
    totals = dict.fromkeys(PARTS, 0.0)

    def lap(part: str) -> None:
        nonlocal started
        totals[part] += 1e3 * (clock() - started)
        started = clock()

    shots = trainer._shots(1 if trainer.stage == 0 else trainer.schedule.batch)
    lap("data")
    splats = trainer.talker.canonical() if trainer.stage == 0 else trainer.talker.deform(shots.drive)
    leaves = Splats(*(part.detach().requires_grad_() for part in splats))
    lap("network")
    drawn = render(leaves, shots.drive.viewmats, trainer.K, shots.plate, trainer.talker.sh_degree)[:2]
    seen = [part.detach().requires_grad_() for part in drawn]
    lap("splatting")
    sum(trainer.losses(*seen, shots, trainer.step, canonical=trainer.stage == 0).values()).backward()
    lap("losses")
    torch.autograd.backward(drawn, [part.grad for part in seen])
    lap("splatting")
    for optimizer in trainer.optimizers.values():
        optimizer.zero_grad()
    lap("optimiser")
    learnt = [(part, leaf.grad) for part, leaf in zip(splats, leaves, strict=True) if part.requires_grad]
    torch.autograd.backward(*zip(*learnt, strict=True))
    lap("network")
    for optimizer in trainer.optimizers.values():
        optimizer.step()
    lap("optimiser")
    for part, milliseconds in totals.items():
        spent[part].append(milliseconds)
