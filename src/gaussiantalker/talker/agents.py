"""Efficient spatial-audio attention (EGSTalker, ESAA): a few agents stand between the Gaussians and the tokens.

ACA(f_v, f_a) = SDP(f_v, A, SDP(A, f_a, f_a)) with SDP(Q, K, V) = softmax(Q K^T / sqrt(d)) V and agents A pooled from
the spatial features f_v.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from gaussiantalker.talker.fusion import FusionLayer

POOLED, FIRST = "pooled", "first"


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
