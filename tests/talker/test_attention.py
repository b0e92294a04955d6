"""Folded cross-attention against torch's own."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gaussiantalker.talker.attention import CrossAttention, _attend, _attend_reference


@settings(max_examples=10, deadline=None)
@given(frames=st.integers(1, 3), tokens=st.integers(1, 5), points=st.integers(1, 9), shared=st.booleans())
def test_folded_attention_equals_torchs(frames: int, tokens: int, points: int, shared: bool) -> None:
    torch.manual_seed(frames * 100 + tokens * 10 + points)
    ours, torchs = CrossAttention(64, 2, 128), nn.MultiheadAttention(64, 2, batch_first=True)
    parts = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        torchs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        torchs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        torchs.out_proj.load_state_dict(ours.out.state_dict())
    z = torch.randn(1 if shared else frames, points, 64)
    keys = torch.randn(frames, tokens, 64)
    expected, weights = torchs(z.expand(frames, -1, -1), keys, keys, average_attn_weights=False)
    torch.testing.assert_close(ours.mix(z, keys), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.weights(z, keys).transpose(1, 2), weights.mean(dim=1), rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    frames=st.integers(1, 3),
    tokens=st.integers(1, 5),
    points=st.sampled_from([1, 64, 65, 200]),
    heads=st.integers(1, 2),
    width=st.sampled_from([10, 48, 64]),
    shared=st.booleans(),
)
def test_kernel_equals_torch(frames: int, tokens: int, points: int, heads: int, width: int, shared: bool) -> None:
    torch.manual_seed(frames * 100 + tokens * 10 + points)
    rows = heads * tokens
    shapes = (1 if shared else frames, points, width), (frames, rows, width), (frames, rows), (frames, rows, width)
    leaves = [torch.randn(shape).requires_grad_() for shape in (*shapes, (width,))]
    results = [run(*leaves, heads) for run in (_attend, _attend_reference)]
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    upstream = torch.randn_like(results[0])
    gradients = [torch.autograd.grad(result, leaves, upstream) for result in results]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_scores_of_any_size() -> None:
    """The largest takes all; the exponential must not overflow nor what is far below it count."""
    leaves = [torch.randn(shape) for shape in ((1, 64, 16), (1, 4, 16), (1, 4), (1, 4, 16), (16,))]
    for size in (1e-3, 1e2, 1e4):
        scaled = [leaves[0], leaves[1] * size, *leaves[2:]]
        expected = _attend_reference(*(leaf.double() for leaf in scaled), 2).float()
        torch.testing.assert_close(_attend(*scaled, 2), expected, rtol=1e-4, atol=1e-3)
