"""Spatial-audio cross-attention (GaussianTalker, eq. 10-13).

Every Gaussian asks, a handful of tokens answer. With so few keys the products fold: q(x) k^T = x (W_q^T k^T) and
softmax(.) v W_o = softmax(.) (v W_o), so that the two 64x64 products per Gaussian become two of 64x8. The result is
the same to rounding, and the test compares it with torch's own attention.
"""

import torch
from torch import Tensor, nn

from gaussiantalker.talker.fusion import FusionLayer


class CrossAttention(FusionLayer):
    """Features attend to the tokens (eq. 11)."""

    def __init__(self, width: int, heads: int, feedforward: int, norms: bool = True):
        super().__init__(width, feedforward, norms)
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

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

    def weights(self, z: Tensor, tokens: Tensor) -> Tensor:
        return self.scores(z, tokens).mean(dim=1)

    def mix(self, z: Tensor, tokens: Tensor) -> Tensor:
        head = z.shape[-1] // self.heads
        values = self.value(tokens).unflatten(-1, (self.heads, head))
        folded = torch.einsum("bthe,dhe->bhtd", values, self.out.weight.unflatten(1, (self.heads, head)))
        weights = self.scores(z, tokens)
        return weights.flatten(1, 2).transpose(1, 2) @ folded.flatten(1, 2) + self.out.bias
