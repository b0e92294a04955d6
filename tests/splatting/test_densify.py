import pytest
import torch
from gaussian_scenes import cameras
from torch.nn import Parameter

from gaussiantalker.splatting import CloneSplitPrune, Gaussians, rasterize
from gaussiantalker.splatting.densify import replace


def setup(count: int = 6, shared_optimizer: bool = False):
    """Gaussians of half size 0.005 in a scene of scale one, a further tensor, and Adam that has made a step."""
    gaussians = Gaussians.from_points(torch.rand(count, 3).numpy(), opacity=0.5, sh_degree=1)
    gaussians.log_scales[:] = torch.tensor(0.005).log()
    params = {k: Parameter(v.clone()) for k, v in gaussians.to_dict().items()}
    params["feature"] = Parameter(torch.arange(count * 2.0).reshape(count, 2))
    if shared_optimizer:
        one = torch.optim.Adam([{"params": [p], "lr": 1e-3} for p in params.values()])
        optimizers = dict.fromkeys(params, one)
    else:
        optimizers = {k: torch.optim.Adam([p], lr=1e-3) for k, p in params.items()}
    for p in params.values():
        p.grad = torch.ones_like(p)
    for optimizer in set(optimizers.values()):
        optimizer.step()
    return params, optimizers


def after_backward(norms: list[float], radii: list[int], width: int = 200, height: int = 100) -> dict:
    """What the rasterizer would tell: gradients in pixels that make these norms in half pictures."""
    means2d = torch.zeros(1, len(norms), 2, requires_grad=True)
    means2d.grad = torch.tensor([[[norm / (width / 2), 0.0] for norm in norms]])
    return {
        "means2d": means2d,
        "radii": torch.tensor(radii)[None, :, None].expand(1, -1, 2),
        "width": width,
        "height": height,
    }


def refine(params, optimizers, norms: list[float], radii: list[int]) -> None:
    """One step of a strategy that refines at once."""
    strategy = CloneSplitPrune(refine_every=1, grow_after=0, prune_after=0, prune_big_after=0, grow_grad2d=0.5)
    info = after_backward(norms, radii)
    strategy.step_post_backward(params, optimizers, strategy.initialize_state(), 1, info)


@pytest.mark.parametrize("shared_optimizer", [False, True])
def test_small_ones_are_cloned_large_ones_split(shared_optimizer):
    params, optimizers = setup(shared_optimizer=shared_optimizer)
    params["log_scales"].data[1] = torch.tensor(0.02).log()
    before = {k: v.detach().clone() for k, v in params.items()}
    moments = {k: optimizers[k].state[v]["exp_avg"].clone() for k, v in params.items()}
    refine(params, optimizers, [0.6, 0.6, *[0.4] * 4], [3] * 6)
    assert len(params["means"]) == 8
    kept = [0, 2, 3, 4, 5]
    for name, value in params.items():
        torch.testing.assert_close(value[:5], before[name][kept])
        memory = optimizers[name].state[value]["exp_avg"]
        torch.testing.assert_close(memory[:5], moments[name][kept])
        assert not memory[5:].any()
        assert any(p is value for group in optimizers[name].param_groups for p in group["params"])
    for name in ("means", "log_scales", "feature"):
        torch.testing.assert_close(params[name][5], before[name][0])
    torch.testing.assert_close(params["log_scales"][6:].exp(), torch.full((2, 3), 0.02 / 1.6))
    assert ((params["means"][6:] - before["means"][1]).norm(dim=1) < 0.2).all()
    assert not torch.equal(params["means"][6], params["means"][7])
    torch.testing.assert_close(params["feature"][6:], before["feature"][[1, 1]])


def test_transparent_large_and_wide_ones_are_pruned():
    params, optimizers = setup()
    params["opacity_logits"].data[0] = -9.0
    params["log_scales"].data[1] = torch.tensor(0.2).log()
    before = params["feature"].detach().clone()
    refine(params, optimizers, [0.0] * 6, [3, 3, 30, 3, 3, 3])
    torch.testing.assert_close(params["feature"].detach(), before[3:])


def test_never_all_are_pruned():
    params, optimizers = setup()
    params["opacity_logits"].data[:] = -9.0
    refine(params, optimizers, [0.0] * 6, [3] * 6)
    assert len(params["means"]) == 6


def test_gradients_are_averaged_over_the_frames_where_a_gaussian_was_seen():
    params, optimizers = setup()
    strategy = CloneSplitPrune(refine_every=3, grow_after=0, prune_after=99, grow_grad2d=0.5)
    state = strategy.initialize_state()
    for step, first, second, second_radius in ((1, 0.9, 0.0, 0), (2, 0.0, 0.9, 3), (3, 0.0, 0.2, 3)):
        info = after_backward([first, second, 0, 0, 0, 0], [3, second_radius, 3, 3, 3, 3])
        strategy.step_post_backward(params, optimizers, state, step, info)
    assert len(params["means"]) == 7  # only the second: (0.9 + 0.2) / 2; the first has 0.9 / 3
    assert state["grad2d"] is None


def test_the_timetable():
    params, optimizers = setup()
    strategy = CloneSplitPrune(refine_every=100, grow_after=500, prune_after=500, refine_until=1000, grow_grad2d=0.5)
    state = strategy.initialize_state()
    for step, expected in ((0, 6), (100, 6), (500, 6), (550, 6), (600, 7), (1000, 7), (1100, 7)):
        norms = [0.9] + [0.0] * (len(params["means"]) - 1)
        strategy.step_post_backward(params, optimizers, state, step, after_backward(norms, [3] * len(norms)))
        assert len(params["means"]) == expected, step


def test_the_most_gaussians():
    params, optimizers = setup()
    strategy = CloneSplitPrune(refine_every=1, grow_after=0, grow_below=6, grow_grad2d=0.5)
    strategy.step_post_backward(params, optimizers, strategy.initialize_state(), 1, after_backward([0.9] * 6, [3] * 6))
    assert len(params["means"]) == 6


def test_around_a_real_rendering():
    """Gradients of the view reach the strategy, and training goes on after it."""
    torch.manual_seed(0)
    gaussians = Gaussians.from_points(torch.randn(40, 3).numpy() / 3, opacity=0.5, sh_degree=0)
    params = {k: Parameter(v.clone()) for k, v in gaussians.to_dict().items()}
    optimizers = {k: torch.optim.Adam([p], lr=1e-2) for k, p in params.items()}
    strategy = CloneSplitPrune(refine_every=2, grow_after=0, grow_grad2d=1e-4)
    state = strategy.initialize_state()
    viewmats, Ks = cameras(2, 24, 20)
    losses = []
    for step in range(5):
        g = Gaussians.from_dict(params)
        shape = (g.means, g.quats, g.scales, g.opacities, g.sh)
        image, _, info = rasterize(*shape, viewmats, Ks, 24, 20, sh_degree=0)
        loss = (image - 0.7).square().mean()
        strategy.step_pre_backward(params, optimizers, state, step, info)
        loss.backward()
        strategy.step_post_backward(params, optimizers, state, step, info)
        for optimizer in optimizers.values():
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
    assert len(params["means"]) > 40
    assert losses[-1] < losses[0]


def test_replacing_keeps_what_is_not_per_row():
    params, optimizers = setup()
    step = optimizers["means"].state[params["means"]]["step"].clone()
    replace(params, optimizers, {"means": params["means"][:2]}, lambda moment: moment[:2])
    assert optimizers["means"].state[params["means"]]["step"] == step
    assert params["means"].shape == (2, 3)
