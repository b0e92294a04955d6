"""Spatial-audio cross-attention (GaussianTalker, eq. 10-13).

Every Gaussian asks, a handful of tokens answer. With so few keys the products fold: q(x) k^T = x (W_q^T k^T) and
softmax(.) v W_o = softmax(.) (v W_o), so that the two 64x64 products per Gaussian become two of 64x8. The result is
the same to rounding, and the test compares it with torch's own attention.
"""

import torch
from torch import Tensor, nn

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.talker.fusion import FusionLayer


class CrossAttention(FusionLayer):
    """Features attend to the tokens (eq. 11)."""

    def __init__(self, width: int, heads: int, feedforward: int, norms: bool = True):
        super().__init__(width, feedforward, norms)
        if heads < 1 or width % heads:
            raise GaussianTalkerError(f"{heads} attention heads cannot share {width} channels: choose a divisor.")
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def folded(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens [B, tokens, width] as keys of features [B, heads * tokens, width], the offsets [B, heads * tokens] of
        their scores, and values after the output's layer, as the keys."""
        head = tokens.shape[-1] // self.heads
        keys, values = (part(tokens).unflatten(-1, (self.heads, head)) for part in (self.key, self.value))
        keys = keys * head**-0.5
        query, bias = (part.unflatten(0, (self.heads, head)) for part in (self.query.weight, self.query.bias))
        out = self.out.weight.unflatten(1, (self.heads, head))
        return (
            torch.einsum("bthe,hed->bhtd", keys, query).flatten(1, 2),
            torch.einsum("bthe,he->bht", keys, bias).flatten(1, 2),
            torch.einsum("bthe,dhe->bhtd", values, out).flatten(1, 2),
        )

    def weights(self, z: Tensor, tokens: Tensor) -> Tensor:
        keys, offsets, _ = self.folded(tokens)
        return _scores(z, keys, offsets, self.heads).mean(dim=1)

    def mix(self, z: Tensor, tokens: Tensor) -> Tensor:
        return attend(z, *self.folded(tokens), self.out.bias, self.heads)


def attend(z: Tensor, keys: Tensor, offsets: Tensor, values: Tensor, bias: Tensor, heads: int) -> Tensor:
    """What tokens say to features z [B or 1, N, width]: softmax(z keys^T + offsets) values + bias, [B, N, width].

    Keys and values [B, heads * tokens, width] are folded; the softmax is over each head's tokens.
    """
    if z.device.type == "cpu" and z.dtype == torch.float32:
        from gaussiantalker.talker.attention_kernel import attend as run
    else:
        run = attend_reference
    return run(z, keys, offsets, values, bias, heads)


def attend_reference(z: Tensor, keys: Tensor, offsets: Tensor, values: Tensor, bias: Tensor, heads: int) -> Tensor:
    """The same in plain torch."""
    return _scores(z, keys, offsets, heads).flatten(1, 2).transpose(1, 2) @ values + bias


def _scores(z: Tensor, keys: Tensor, offsets: Tensor, heads: int) -> Tensor:
    """Attention weights [B, heads, tokens, N].

    The tokens' axis comes before the Gaussians' so that the softmax runs over a strided axis, which vectorises.
    """
    logits = keys @ z.transpose(1, 2) + offsets[..., None]
    return logits.unflatten(1, (heads, -1)).softmax(dim=2)
