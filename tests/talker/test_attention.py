"""Folded cross-attention against torch's own."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gaussiantalker.talker.attention import CrossAttention


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
    torch.testing.assert_close(ours.scores(z, keys).transpose(2, 3), weights, rtol=1e-4, atol=1e-5)
