"""Spatial-audio cross-attention (GaussianTalker, eq. 10-13).

Every Gaussian asks, a handful of tokens answer. With so few keys the products fold: q(x) k^T = x (W_q^T k^T) and
softmax(.) v W_o = softmax(.) (v W_o), so that the two 64x64 products per Gaussian become two of 64x8. The result is
the same to rounding, and the test compares it with torch's own attention.
"""

import torch
from torch import Tensor, nn


class CrossAttention(nn.Module):
    """z' = LN(CA(z, tokens) + z), then LN(FFN(z') + z'), as the public code places the norms."""

    def __init__(self, width: int, heads: int, feedforward: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feedforward = nn.Sequential(nn.Linear(width, feedforward), nn.ReLU(), nn.Linear(feedforward, width))

    def scores(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Attention weights [B, heads, tokens, N] of features [B or 1, N, width] over tokens [B, tokens, width].

        The tokens' axis comes before the Gaussians' so that the softmax runs over a strided axis, which vectorises.
        """
        head = z.shape[-1] // self.heads
        keys = self.key(tokens).unflatten(-1, (self.heads, head))
        weight, bias = (
            self.query.weight.unflatten(0, (self.heads, head)),
            self.query.bias.unflatten(0, (self.heads, head)),
        )
        folded = torch.einsum("bthe,hed->bhtd", keys, weight).flatten(1, 2) * head**-0.5
        offset = torch.einsum("bthe,he->bht", keys, bias).flatten(1, 2) * head**-0.5
        logits = folded @ z.transpose(1, 2) + offset[..., None]
        return logits.unflatten(1, (self.heads, -1)).softmax(dim=2)

    def attend(self, z: Tensor, tokens: Tensor) -> Tensor:
        """CA(z, tokens): [B or 1, N, width], [B, tokens, width] to [B, N, width]."""
        head = z.shape[-1] // self.heads
        values = self.value(tokens).unflatten(-1, (self.heads, head))
        folded = torch.einsum("bthe,dhe->bhtd", values, self.out.weight.unflatten(1, (self.heads, head)))
        weights = self.scores(z, tokens)
        return weights.flatten(1, 2).transpose(1, 2) @ folded.flatten(1, 2) + self.out.bias

    def forward(self, z: Tensor, tokens: Tensor) -> Tensor:
        z = self.norm_attention(self.attend(z, tokens) + z)
        return self.norm_feedforward(self.feedforward(z) + z)
