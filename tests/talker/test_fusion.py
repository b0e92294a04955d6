"""The kernel that finishes a fusion layer against plain torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gaussiantalker.talker import fast_products
from gaussiantalker.talker.fusion import FusionLayer


def a_layer(width: int, feedforward: int) -> FusionLayer:
    torch.manual_seed(width)
    layer = FusionLayer(width, feedforward)
    for norm in (layer.norm_attention, layer.norm_feedforward):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return layer


def finished_by_torch(layer: FusionLayer, z: Tensor) -> Tensor:
    z = layer.norm_attention(z)
    return layer.norm_feedforward(layer.feedforward(z) + z)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 2), st.sampled_from([1, 64, 65, 200]), st.sampled_from([10, 48, 64]), st.sampled_from([9, 64, 128])
)
def test_kernel_equals_torch(frames: int, points: int, width: int, feedforward: int) -> None:
    layer, z = a_layer(width, feedforward), torch.randn(frames, points, width).requires_grad_()
    leaves = [z, *layer.parameters()]
    results = layer.finish(z), finished_by_torch(layer, z)
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    upstream = torch.randn_like(z)
    gradients = [torch.autograd.grad(result, leaves, upstream) for result in results]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norms", [True, False])
def test_every_float_type_gives_the_same(norms: bool) -> None:
    layer, z = FusionLayer(48, 64, norms), torch.randn(1, 70, 48)
    exact = layer.double().finish(z.double())
    torch.testing.assert_close(layer.float().finish(z), exact.float(), rtol=1e-5, atol=1e-5)


def test_bfloat16_products_keep_two_digits() -> None:
    layer, z = a_layer(64, 128), torch.randn(2, 300, 64)
    with torch.no_grad(), fast_products():
        bf16 = layer.finish(z)
    exact = finished_by_torch(layer, z)
    assert (bf16 - exact).norm() / exact.norm() < 1e-2


def test_the_kernel_does_not_depend_on_threads() -> None:
    layer, z = a_layer(64, 128), torch.randn(1, 1500, 64)
    runs = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        result = layer.finish(z)
        runs.append([result, *torch.autograd.grad(result.sum(), list(layer.parameters()))])
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))
