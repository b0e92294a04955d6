import math

import pytest
import torch
from torch.nn import Parameter

from gaussiantalker.splatting import Gaussians, MarkovChain
from gaussiantalker.splatting.mcmc import _shared


def setup(opacities: list[float]):
    gaussians = Gaussians.from_points(torch.rand(len(opacities), 3).numpy(), sh_degree=0)
    gaussians.opacity_logits = torch.tensor(opacities).logit()
    params = {k: Parameter(v.clone()) for k, v in gaussians.to_dict().items()}
    optimizers = {k: torch.optim.Adam([p], lr=1e-3) for k, p in params.items()}
    for p in params.values():
        p.grad = torch.ones_like(p)
    for optimizer in optimizers.values():
        optimizer.step()
    return params, optimizers


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20, 51])
@pytest.mark.parametrize("opacity", [0.01, 0.3, 0.9])
def test_sharing_follows_equation_nine(n, opacity):
    """The paper's double sum, in exact integers for the binomials."""
    new, factor = _shared(torch.tensor([opacity]), torch.tensor([n]))
    assert 1 - (1 - new.item()) ** n == pytest.approx(opacity, rel=1e-5)
    o = 1 - (1 - opacity) ** (1 / n)
    double_sum = sum(
        math.comb(i - 1, k) * (-1) ** k * o ** (k + 1) / math.sqrt(k + 1) for i in range(1, n + 1) for k in range(i)
    )
    assert factor.item() == pytest.approx(opacity / double_sum, rel=1e-4)
    assert 0 < factor.item() <= 1 + 1e-6


def test_the_dead_move_to_the_living():
    torch.manual_seed(0)
    params, optimizers = setup([0.8, 0.001, 0.001, 0.5])
    alive = params["means"].detach()[[0, 3]].clone()
    strategy = MarkovChain(refine_every=1, refine_after=0, most=4, noise=0.0)
    strategy.step_post_backward(params, optimizers, {}, 1, {})
    assert len(params["means"]) == 4
    assert (params["opacity_logits"].sigmoid() > 0.01).all()
    for moved in params["means"][[1, 2]]:
        assert ((moved - alive).norm(dim=1) < 1e-6).any()
    assert not optimizers["means"].state[params["means"]]["exp_avg"][[1, 2]].any()


def test_growth_up_to_the_most():
    params, optimizers = setup([0.5] * 10)
    strategy = MarkovChain(refine_every=1, refine_after=0, most=13, growth=1.2, noise=0.0)
    counts = []
    for step in (1, 2, 3):
        strategy.step_post_backward(params, optimizers, {}, step, {})
        counts.append(len(params["means"]))
    assert counts == [12, 13, 13]
    assert optimizers["sh"].state[params["sh"]]["exp_avg"].shape == params["sh"].shape


def test_only_nearly_transparent_ones_wander():
    params, optimizers = setup([0.9, 0.5, 0.001])
    before = params["means"].detach().clone()
    MarkovChain().step_post_backward(params, optimizers, {}, 1, {})
    moved = (params["means"] - before).norm(dim=1)
    assert moved[2] > 1e-3
    assert (moved[:2] < 1e-6 * moved[2]).all()
