"""The kernel of two-layer perceptrons against plain torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.talker import fast_products
from gaussiantalker.talker.regressors import _perceptrons, perceptrons_reference


def a_network(frames: int, points: int, inputs: int, width: int, sizes: list[int]) -> list:
    torch.manual_seed(points)
    first, bias = 0.2 * torch.randn(width * len(sizes), inputs), 0.2 * torch.randn(width * len(sizes))
    lasts, biases = [0.2 * torch.randn(size, width) for size in sizes], [torch.randn(size) for size in sizes]
    return [torch.randn(frames, points, inputs), first, bias, lasts, biases]


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 2),
    st.sampled_from([1, 3, 64, 65, 200]),
    st.sampled_from([32, 48, 64]),
    st.sampled_from([8, 20, 64]),
    st.lists(st.sampled_from([1, 3, 4, 27]), min_size=1, max_size=4),
)
def test_kernel_equals_torch(frames: int, points: int, inputs: int, width: int, sizes: list[int]) -> None:
    network = a_network(frames, points, inputs, width, sizes)
    leaves = [*network[:3], *network[3], *network[4]]
    for leaf in leaves:
        leaf.requires_grad_()
    ours, torchs = _perceptrons(*network), perceptrons_reference(*network)
    upstream = [torch.randn_like(out) for out in torchs]
    for one, other in zip(ours, torchs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(outs, leaves, upstream) for outs in (ours, torchs)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("inputs", [64, 47], ids=["even", "odd"])
def test_bfloat16_products_keep_two_digits_and_only_where_nothing_is_learnt(inputs: int) -> None:
    network = a_network(2, 300, inputs, 128, [3, 48])
    network[1].requires_grad_()
    exact = perceptrons_reference(*network)
    with fast_products():
        learning = _perceptrons(*network)
        with torch.no_grad():
            bf16 = _perceptrons(*network)
    for one, other, third in zip(exact, learning, bf16, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        assert (one - third).norm() / one.norm() < 5e-3


def test_the_kernel_does_not_depend_on_threads() -> None:
    network = a_network(1, 1000, 64, 32, [3, 12])
    leaves = [*network[:3], *network[3], *network[4]]
    for leaf in leaves:
        leaf.requires_grad_()
    runs = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        outs = _perceptrons(*network)
        runs.append([*outs, *torch.autograd.grad(outs, leaves, [torch.ones_like(out) for out in outs])])
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))
