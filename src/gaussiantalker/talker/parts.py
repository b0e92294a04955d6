"""Where a method's names become parts. A part of your own is added here before a method names it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from gaussiantalker.errors import chosen
from gaussiantalker.talker.attention import AgentAttention, CrossAttention
from gaussiantalker.talker.fusion import Concatenation, FusionLayer, Multiplication
from gaussiantalker.talker.hash_triplane import HashTriplane
from gaussiantalker.talker.kan import SplineRegressors
from gaussiantalker.talker.method import Method
from gaussiantalker.talker.regressors import CanonicalPredictors, Regressors
from gaussiantalker.talker.triplane import Encoding, Triplane

_Part = TypeVar("_Part")
RegressorClass = Callable[[int, int, dict[str, int]], nn.Module]

FUSIONS: dict[str, Callable[[Method, int], FusionLayer]] = {
    "cross": lambda m, width: CrossAttention(width, m.attention_heads, m.feedforward, m.norms),
    "agent": lambda m, width: AgentAttention(width, m.agents, m.feedforward, m.norms, choice=m.agent_choice),
    "concatenation": lambda m, width: Concatenation(width, len(m.conditions), m.feedforward, m.norms),
    "multiplication": lambda m, width: Multiplication(width, len(m.conditions), m.feedforward, m.norms),
}
"""How features meet tokens, by name: from the method and the channels of a feature."""

ENCODINGS: dict[str, Callable[[Method, Tensor, Tensor], Encoding]] = {
    "dense": lambda m, low, high: Triplane(m.resolutions, m.plane_channels, low, high),
    "hash": lambda m, low, high: HashTriplane(
        m.hash_levels, m.hash_channels, *m.hash_resolutions, m.hash_table_bits, low, high
    ),
}
"""Features of places, by name: from the method and two corners of the head's box [3]."""

REGRESSORS: dict[str, tuple[RegressorClass, RegressorClass]] = {
    "mlp": (CanonicalPredictors, Regressors),
    "kan": (SplineRegressors, SplineRegressors),
}
"""What reads attributes off features, by name: the canonical stage's class and the deformation's. Each is made from the
channels of a feature, its own width and {name: numbers}, and takes features [..., inputs] to {name: [..., numbers]}."""


def part(parts: Mapping[str, _Part], kind: str, name: str) -> _Part:
    """The part of this name. Raises GaussianTalkerError, as `chosen`, where there is none."""
    return chosen(kind, name, parts, ", or import the module that adds it first")
