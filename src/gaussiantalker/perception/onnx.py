"""Reads the plain chains of layers among ONNX files, straight from the protocol-buffer bytes, and runs them in torch.

The format: https://onnx.ai/onnx/repo-docs/IR.html; field numbers are those of its onnx.proto.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.protobuf import message_fields, varints

_FLOAT = 1


@dataclass(frozen=True)
class _Layer:
    """One layer: its kind, the names of what goes in and comes out, and its settings."""

    kind: str
    inputs: list[str]
    output: str
    settings: dict[str, float | int | list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Chain:
    """Layers that each take what the one before gave."""

    nodes: list[_Layer]
    tensors: dict[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> "Chain":
        """Raises GaussianTalkerError when the file is no ONNX chain of the layers known here."""
        try:
            graph = next(value for number, value in message_fields(path.read_bytes()) if number == 7)
            nodes = [_node(value) for number, value in message_fields(graph) if number == 1]
            tensors = dict(_tensor(value) for number, value in message_fields(graph) if number == 5)
        except (StopIteration, LookupError, ValueError, struct.error):
            raise GaussianTalkerError(f"{path} is not an ONNX file; remove it to fetch it again.") from None
        chained = all(after.inputs[0] == before.output for before, after in zip(nodes, nodes[1:], strict=False))
        unknown = {node.kind for node in nodes} - set(_LAYERS)
        if not nodes or not chained or unknown:
            raise GaussianTalkerError(
                f"{path} has layers that are not supported, {sorted(unknown)}; remove it to fetch it again."
            )
        return cls(nodes, tensors)

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        for node in self.nodes:
            x = _LAYERS[node.kind](x, [self.tensors[name] for name in node.inputs[1:]], node.settings)
        return x


def _convolve(x: Tensor, rest: list[Tensor], settings: dict) -> Tensor:
    kernel, bias = rest[0], rest[1] if len(rest) > 1 else None
    return F.conv2d(
        x, kernel, bias, settings["strides"], settings["pads"][:2], settings["dilations"], settings["group"]
    )


_LAYERS = {
    "Sub": lambda x, rest, settings: x - rest[0],
    "Mul": lambda x, rest, settings: x * rest[0],
    "Conv": _convolve,
    "BatchNormalization": lambda x, rest, settings: F.batch_norm(
        x, rest[2], rest[3], rest[0], rest[1], eps=settings["epsilon"]
    ),
    "PRelu": lambda x, rest, settings: F.prelu(x, rest[0].flatten()),
    "Dropout": lambda x, rest, settings: x,
    "Flatten": lambda x, rest, settings: x.flatten(1),
    "Gemm": lambda x, rest, settings: F.linear(x, rest[0], rest[1]),
}


def _node(data: bytes) -> _Layer:
    parts: dict[int, list] = {}
    for number, value in message_fields(data):
        parts.setdefault(number, []).append(value)
    settings = dict(_setting(value) for value in parts.get(5, []))
    return _Layer(parts[4][0].decode(), [name.decode() for name in parts[1]], parts[2][0].decode(), settings)


def _setting(data: bytes) -> tuple[str, float | int | list[int]]:
    name, value, several = "", 0, []
    for number, raw in message_fields(data):
        if number == 1:
            name = raw.decode()
        elif number == 2:
            value = struct.unpack("<f", raw)[0]
        elif number == 3:
            value = raw
        elif number == 8:
            several += [raw] if isinstance(raw, int) else varints(raw)
    return name, several or value


def _tensor(data: bytes) -> tuple[str, Tensor]:
    shape, kind, name, raw = [], 0, "", b""
    for number, value in message_fields(data):
        if number == 1:
            shape += [value] if isinstance(value, int) else varints(value)
        elif number == 2:
            kind = value
        elif number in (4, 9):  # packed floats, or the same bytes as they lie in memory
            raw += value
        elif number == 8:
            name = value.decode()
    if kind != _FLOAT:
        raise ValueError(f"{name} is of type {kind}")
    return name, torch.from_numpy(np.frombuffer(raw, "<f4").reshape(shape).copy())
