"""Small networks that read Gaussian attributes off a feature: canonical (eq. 8) and offsets (eq. 14)."""

from torch import Tensor, nn
from torch.nn import functional as F


def attribute_sizes(names: tuple[str, ...], sh_degree: int) -> dict[str, int]:
    """Numbers per Gaussian of each of these attributes."""
    sizes = {"means": 3, "scales": 3, "quats": 4, "opacity": 1, "sh": 3 * (sh_degree + 1) ** 2}
    return {name: sizes[name] for name in names}


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
        for layer in self.last.values():
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        """[..., inputs] to {name: [..., size]}."""
        if not self.names:
            return {}
        hidden = F.relu(self.first(F.relu(feature))).chunk(len(self.names), dim=-1)
        return {name: self.last[name](part) for name, part in zip(self.names, hidden, strict=True)}


class CanonicalPredictors(nn.Module):
    """Attributes of the static head from its triplane feature, with a shared trunk (GaussianTalker, section 4.2)."""

    def __init__(self, inputs: int, width: int, outputs: dict[str, int]):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width))
        self.heads = Regressors(width, width, outputs)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        return self.heads(self.trunk(feature))
