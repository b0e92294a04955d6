"""How a Gaussian's feature meets the condition tokens: the frame all variants share, and the two older variants."""

import torch
from torch import Tensor, nn


class FusionLayer(nn.Module):
    """z' = LN(mix(z, tokens) + z), then LN(FFN(z') + z').

    The norms stand where GaussianTalker's public code has them; its paper (eq. 12-13) shows none, which is
    `norms=False`. Variants differ in `mix` alone.
    """

    def __init__(self, width: int, feedforward: int, norms: bool = True):
        super().__init__()
        self.norm_attention = nn.LayerNorm(width) if norms else nn.Identity()
        self.norm_feedforward = nn.LayerNorm(width) if norms else nn.Identity()
        self.feedforward = nn.Sequential(nn.Linear(width, feedforward), nn.ReLU(), nn.Linear(feedforward, width))

    def mix(self, z: Tensor, tokens: Tensor) -> Tensor:
        """What the tokens [B, tokens, width] say to the features [B or 1, N, width]: [B, N, width]."""
        raise NotImplementedError

    def weights(self, z: Tensor, tokens: Tensor) -> Tensor | None:
        """How much each Gaussian listens to each token, [B, tokens, N] summing to 1; None where nothing is weighed."""
        return None

    def forward(self, z: Tensor, tokens: Tensor) -> Tensor:
        return self.finish(self.mix(z, tokens) + z)

    def finish(self, z: Tensor) -> Tensor:
        """What follows the mixing, whatever that was: [B, N, width] to the same."""
        first, last = self.norm_attention, self.norm_feedforward
        plain = z.device.type == "cpu" and z.dtype == torch.float32
        if plain and isinstance(first, nn.LayerNorm) and isinstance(last, nn.LayerNorm):
            from gaussiantalker.talker.fastest import BFLOAT16, TORCH, fastest
            from gaussiantalker.talker.fusion_kernel import finish

            if (way := fastest()) != TORCH:
                return finish(z, first, self.feedforward, last, bf16=way == BFLOAT16)
        z = first(z)
        return last(self.feedforward(z) + z)


class Concatenation(FusionLayer):
    """Features and tokens side by side into one linear layer, as AD-NeRF and RAD-NeRF feed theirs.

    W [z; t_1; ...] = W_z z + W_t [t_1; ...], so the tokens' part is computed once a frame instead of per Gaussian.
    """

    def __init__(self, width: int, tokens: int, feedforward: int, norms: bool = True):
        super().__init__(width, feedforward, norms)
        self.of_feature, self.of_tokens = nn.Linear(width, width), nn.Linear(tokens * width, width, bias=False)

    def mix(self, z: Tensor, tokens: Tensor) -> Tensor:
        return self.of_feature(z) + self.of_tokens(tokens.flatten(1))[:, None]


class Multiplication(FusionLayer):
    """Every token's channels multiplied by a gate read off the feature: ER-NeRF's region attention.

    The gated tokens are joined by one linear layer.
    """

    def __init__(self, width: int, tokens: int, feedforward: int, norms: bool = True):
        super().__init__(width, feedforward, norms)
        self.gates, self.join = nn.Linear(width, tokens * width), nn.Linear(tokens * width, width)

    def mix(self, z: Tensor, tokens: Tensor) -> Tensor:
        return self.join(torch.sigmoid(self.gates(z)) * tokens.flatten(1)[:, None])
