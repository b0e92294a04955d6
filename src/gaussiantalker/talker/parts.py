"""Where a method's names become parts. A part of your own is added here before a method names it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.talker.attention import AgentAttention, CrossAttention
from gaussiantalker.talker.fusion import Concatenation, FusionLayer, Multiplication
from gaussiantalker.talker.hash_triplane import HashTriplane
from gaussiantalker.talker.kan import SplineRegressors
from gaussiantalker.talker.method import Method
from gaussiantalker.talker.regressors import CanonicalPredictors, Regressors
from gaussiantalker.talker.triplane import Encoding, Triplane

Part = TypeVar("Part")
RegressorClass = Callable[[int, int, dict[str, int]], nn.Module]


def _cross(method: Method, width: int) -> FusionLayer:
    return CrossAttention(width, method.attention_heads, method.feedforward, method.norms)


def _agent(method: Method, width: int) -> FusionLayer:
    return AgentAttention(width, method.agents, method.feedforward, method.norms, choice=method.agent_choice)


def _concatenation(method: Method, width: int) -> FusionLayer:
    return Concatenation(width, len(method.conditions), method.feedforward, method.norms)


def _multiplication(method: Method, width: int) -> FusionLayer:
    return Multiplication(width, len(method.conditions), method.feedforward, method.norms)


def _dense(method: Method, low: Tensor, high: Tensor) -> Encoding:
    return Triplane(method.resolutions, method.plane_channels, low, high)


def _hash(method: Method, low: Tensor, high: Tensor) -> Encoding:
    sizes = method.hash_levels, method.hash_channels, *method.hash_resolutions, method.hash_table_bits
    return HashTriplane(*sizes, low, high)


FUSIONS: dict[str, Callable[[Method, int], FusionLayer]] = {
    "cross": _cross,
    "agent": _agent,
    "concatenation": _concatenation,
    "multiplication": _multiplication,
}
"""How features meet tokens, by name: from the method and the channels of a feature."""

ENCODINGS: dict[str, Callable[[Method, Tensor, Tensor], Encoding]] = {"dense": _dense, "hash": _hash}
"""Features of places, by name: from the method and two corners of the head's box [3]."""

REGRESSORS: dict[str, tuple[RegressorClass, RegressorClass]] = {
    "mlp": (CanonicalPredictors, Regressors),
    "kan": (SplineRegressors, SplineRegressors),
}
"""What reads attributes off features, by name: the canonical stage's class and the deformation's. Each is made from the
channels of a feature, its own width and {name: numbers}, and takes features [..., inputs] to {name: [..., numbers]}."""


def part(parts: Mapping[str, Part], kind: str, name: str) -> Part:
    """The part of this name.

    Raises:
        GaussianTalkerError: there is none; the sentence lists those there are.
    """
    if name not in parts:
        raise GaussianTalkerError(
            f"There is no {kind} {name!r}: choose one of {', '.join(parts)}, or import the module that adds it first."
        )
    return parts[name]
