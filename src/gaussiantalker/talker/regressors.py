"""Small networks that read Gaussian attributes off a feature: canonical (eq. 8) and offsets (eq. 14)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Regressors(nn.Module):
    """One two-layer head per attribute, all first layers computed as one product.

    The last layers start at zero: offsets begin as the identity. Without outputs it says nothing and has no weights.
    """

    def __init__(self, inputs: int, width: int, outputs: dict[str, int]):
        super().__init__()
        self.names = tuple(outputs)
        if not outputs:
            return
        self.first = nn.Linear(inputs, width * len(outputs))
        self.last = nn.ModuleDict({name: nn.Linear(width, size) for name, size in outputs.items()})
        nn.init.xavier_uniform_(self.first.weight)
        nn.init.zeros_(self.first.bias)
        for weights in self.last.parameters():
            nn.init.zeros_(weights)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        """[..., inputs] to {name: [..., size]}."""
        if not self.names:
            return {}
        weights, biases = map(list, zip(*(last.parameters() for last in self.last.values()), strict=True))
        moves = _perceptrons(feature, self.first.weight, self.first.bias, weights, biases)
        return dict(zip(self.names, moves, strict=True))


class CanonicalPredictors(nn.Module):
    """Attributes of the static head from its triplane feature, with a shared trunk (GaussianTalker, section 4.2)."""

    def __init__(self, inputs: int, width: int, outputs: dict[str, int]):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width))
        self.heads = Regressors(width, width, outputs)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        return self.heads(self.trunk(feature))


def _perceptrons(
    x: Tensor, first: Tensor, first_bias: Tensor, lasts: list[Tensor], biases: list[Tensor]
) -> list[Tensor]:
    """last_h relu(first_h relu(x) + b_h) + b'_h for every head h: x [..., inputs] to one [..., size] a head.

    `first` [heads * width, inputs] holds the first layers, one below the other; `lasts` are [size, width] each.
    """
    if x.device.type == "cpu" and x.dtype == torch.float32:
        from gaussiantalker.talker.fastest import BFLOAT16, TORCH, fastest
        from gaussiantalker.talker.perceptron_kernel import perceptrons as run

        if (way := fastest()) != TORCH:
            return run(x, first, first_bias, lasts, biases, bf16=way == BFLOAT16)
    return perceptrons_reference(x, first, first_bias, lasts, biases)


def perceptrons_reference(
    x: Tensor, first: Tensor, first_bias: Tensor, lasts: list[Tensor], biases: list[Tensor]
) -> list[Tensor]:
    """The same in plain torch."""
    hidden = F.relu(F.linear(F.relu(x), first, first_bias)).chunk(len(lasts), dim=-1)
    return [F.linear(part, last, bias) for part, last, bias in zip(hidden, lasts, biases, strict=True)]
