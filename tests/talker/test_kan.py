"""Splines and the networks made of them."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from gaussiantalker.talker.kan import BASES, GRID, ORDER, SplineRegressors, TaylorLayer, _spline_bases, _SplineLayer
from gaussiantalker.talker.kan import _spline_bases_reference as reference


def test_bases_are_scipys() -> None:
    x = np.linspace(-1, 1, 101)
    knots = (np.arange(GRID + 2 * ORDER + 1) - ORDER) * 2 / GRID - 1
    theirs = BSpline.design_matrix(x[:-1], knots, ORDER).toarray()
    for ours in (reference(torch.from_numpy(x)), _spline_bases(torch.from_numpy(x).float())):
        np.testing.assert_allclose(ours[:-1].numpy(), theirs, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 9000), reach=st.sampled_from([0.9, 1.5]), seed=st.integers(0, 99))
def test_the_kernel_equals_the_reference(count: int, reach: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = ((torch.rand(count, generator=generator) * 2 - 1) * reach).requires_grad_()
    arriving = torch.randn(count, BASES, generator=generator)
    results = [(out := bases(x), *torch.autograd.grad(out, x, arriving)) for bases in (_spline_bases, reference)]
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-4)


def test_gradients_by_finite_differences() -> None:
    torch.manual_seed(0)
    x = (torch.rand(4, 3, dtype=torch.float64) * 1.9 - 0.95).requires_grad_()
    for layer in (_SplineLayer(3, 2), TaylorLayer(3, 2)):
        assert torch.autograd.gradcheck(layer.double(), x)


def test_a_layer_is_a_sum_of_curves() -> None:
    """Against the definition, written with loops."""
    torch.manual_seed(1)
    x = torch.rand(5, 3) * 2 - 1
    spline, taylor = _SplineLayer(3, 2), TaylorLayer(3, 2)
    powers = lambda v: torch.stack([v**k for k in range(3)], dim=-1)  # noqa: E731
    for layer, curve, scale in ((spline, reference, 3**-0.5), (taylor, powers, 1)):
        expected = layer.base.bias.expand(5, 2).clone()
        for j in range(2):
            for i in range(3):
                bend = layer.curves.weight[j].view(3, -1)[i]
                expected[:, j] += (
                    layer.base.weight[j, i] * torch.nn.functional.silu(x[:, i]) + scale * curve(x[:, i]) @ bend
                )
        torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_regressors_begin_as_the_identity_and_can_learn_a_bend() -> None:
    torch.manual_seed(2)
    network = SplineRegressors(2, 8, {"means": 3, "opacity": 1})
    x = torch.rand(256, 2) * 2 - 1
    assert not network(x)["means"].any()
    target = (3 * x[:, :1]).sin() * x[:, 1:]
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (network(x)["opacity"] - target).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.05 * target.square().mean()
