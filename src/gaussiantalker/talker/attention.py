"""Attention to the tokens: of GaussianTalker, and through agents.

Spatial-audio cross-attention (GaussianTalker, eq. 10-13): every Gaussian asks, a handful of tokens answer. With so
few keys the products fold: q(x) k^T = x (W_q^T k^T) and softmax(.) v W_o = softmax(.) (v W_o), so that the two 64x64
products per Gaussian become two of 64x8. The result is the same to rounding, and the test compares it with torch's own.

Efficient spatial-audio attention (EGSTalker, ESAA): a few agents stand between the Gaussians and the tokens.
ACA(f_v, f_a) = SDP(f_v, A, SDP(A, f_a, f_a)) with SDP(Q, K, V) = softmax(Q K^T / sqrt(d)) V and agents A pooled from
the spatial features f_v.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.talker.fusion import FusionLayer

POOLED, FIRST = "pooled", "first"


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
        return _attend(z, *self.folded(tokens), self.out.bias, self.heads)


def _attend(z: Tensor, keys: Tensor, offsets: Tensor, values: Tensor, bias: Tensor, heads: int) -> Tensor:
    """What tokens say to features z [B or 1, N, width]: softmax(z keys^T + offsets) values + bias, [B, N, width].

    Keys and values [B, heads * tokens, width] are folded; the softmax is over each head's tokens.
    """
    if z.device.type == "cpu" and z.dtype == torch.float32:
        from gaussiantalker.talker.attention_kernel import attend as run
    else:
        run = _attend_reference
    return run(z, keys, offsets, values, bias, heads)


def _attend_reference(z: Tensor, keys: Tensor, offsets: Tensor, values: Tensor, bias: Tensor, heads: int) -> Tensor:
    """The same in plain torch."""
    return _scores(z, keys, offsets, heads).flatten(1, 2).transpose(1, 2) @ values + bias


def _scores(z: Tensor, keys: Tensor, offsets: Tensor, heads: int) -> Tensor:
    """Attention weights [B, heads, tokens, N].

    The tokens' axis comes before the Gaussians' so that the softmax runs over a strided axis, which vectorises.
    """
    logits = keys @ z.transpose(1, 2) + offsets[..., None]
    return logits.unflatten(1, (heads, -1)).softmax(dim=2)


class AgentAttention(FusionLayer):
    """Agents ask the tokens, Gaussians ask the agents.

    The paper's agents are averages over runs of neighbouring Gaussians. Its public code takes the first rows of the
    array through a linear layer instead, whichever Gaussians these are (`choice="first"`).
    """

    def __init__(self, width: int, agents: int, feedforward: int, norms: bool = True, choice: str = POOLED):
        super().__init__(width, feedforward, norms)
        self.agents = agents
        self.first = nn.Linear(width, width) if choice == FIRST else None

    def shares(self, z: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Attention of Gaussians to agents [B or 1, N, agents] and of agents to tokens [B, agents, tokens].

        In the first layer neither the features nor, therefore, the Gaussians' attention depend on the frame.
        """
        agents = self._agents(z)
        scale = z.shape[-1] ** -0.5
        to_agents = (z @ agents.transpose(1, 2) * scale).softmax(dim=-1)
        return to_agents, (agents @ tokens.transpose(1, 2) * scale).softmax(dim=-1)

    def _agents(self, z: Tensor) -> Tensor:
        """[B or 1, agents, width] of the features [B or 1, N, width]."""
        if self.first is not None:
            return self.first(z[:, : self.agents])
        return F.adaptive_avg_pool1d(z.transpose(1, 2), self.agents).transpose(1, 2)

    def weights(self, z: Tensor, tokens: Tensor) -> Tensor:
        to_agents, to_tokens = self.shares(z, tokens)
        return (to_agents @ to_tokens).transpose(1, 2)

    def mix(self, z: Tensor, tokens: Tensor) -> Tensor:
        to_agents, to_tokens = self.shares(z, tokens)
        return to_agents @ (to_tokens @ tokens)
