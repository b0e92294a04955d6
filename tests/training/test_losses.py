"""What the losses look at."""

from dataclasses import replace

import torch

from gaussiantalker.talker import Drive, Shots
from gaussiantalker.training.losses import PhotometricLoss, patch_loss, some_patch
from gaussiantalker.training.schedule import SCHEDULES, Schedule

PLAN = replace(SCHEDULES["demo"], weight_perceptual=0.0)
LIPS, EYES = (8, 20, 16, 24), (4, 6, 20, 10)


def some_shots() -> Shots:
    torch.manual_seed(0)
    image, head = torch.rand(2, 32, 32, 3), torch.zeros(2, 32, 32)
    head[:, 4:28, 4:28] = 1
    nothing = torch.zeros(2, 0)
    boxes = (torch.tensor([box, box]) for box in (LIPS, EYES))
    return Shots(image, torch.zeros_like(image), head, *boxes, Drive({}, nothing, nothing))


def loss_of(image: torch.Tensor, shots: Shots, plan: Schedule = PLAN, canonical: bool = False) -> float:
    terms = PhotometricLoss(plan)(image, shots.head[..., None], shots, step=0, canonical=canonical)
    return float(sum(terms.values()))


def test_the_truth_costs_nothing_and_a_hole_in_the_mask_costs() -> None:
    shots = some_shots()
    assert loss_of(shots.image, shots) < 1e-6
    empty = PhotometricLoss(PLAN)(shots.image, torch.zeros(2, 32, 32, 1), shots, step=0, canonical=False)
    torch.testing.assert_close(sum(empty.values()), PLAN.weight_mask * shots.head.mean())


def test_an_error_on_lips_or_eyes_weighs_more_than_elsewhere() -> None:
    shots, costs = some_shots(), {}
    plain = replace(PLAN, weight_ssim=0)
    for name, (left, top) in {"lips": (10, 21), "eyes": (10, 7), "cheek": (10, 14)}.items():
        wrong = shots.image.clone()
        wrong[:, top : top + 2, left : left + 4] += 0.5
        costs[name] = loss_of(wrong, shots, plain)
    assert costs["lips"] > 3 * costs["cheek"] and costs["eyes"] > 3 * costs["cheek"]


def test_the_papers_first_stage_does_not_look_at_the_lips() -> None:
    shots, paper = some_shots(), replace(PLAN, lips_in_canonical=False)
    wrong = shots.image.clone()
    wrong[:, 21:23, 10:14] += 0.5
    assert loss_of(wrong, shots, paper, canonical=True) < loss_of(wrong, shots, PLAN, canonical=True)
    assert loss_of(wrong, shots, paper) == loss_of(wrong, shots, PLAN)


def test_a_patch_loss_is_the_mean_over_the_patch() -> None:
    a, b = torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 8, 3)
    a[0, 2:4, 3:6] = 1
    assert float(patch_loss(a, b, torch.tensor([[3, 2, 6, 4]]))) == 1
    assert float(patch_loss(a, b, torch.tensor([[0, 0, 8, 8]]))) == 6 / 64


def test_patches_lie_in_the_picture_half_of_them_around_the_lips() -> None:
    shots, lips, brow = some_shots(), torch.zeros(2, 32, 32, 3), torch.zeros(2, 32, 32)
    left, top, right, bottom = LIPS
    lips[:, top:bottom, left:right] = 1
    brow[:, 4:8, 20:28] = 1  # no patch around it meets the lips
    shots, whole = shots._replace(image=lips, head=brow), 0
    for seed in range(100):
        torch.manual_seed(seed)
        render, truth = some_patch(lips, shots, 16)
        assert render.shape == (2, 16, 16, 3) and torch.equal(render, truth)
        whole += bool(render.sum() == lips.sum())
    assert 35 < whole < 65
    assert some_patch(shots.image, shots, 0)[0] is shots.image
