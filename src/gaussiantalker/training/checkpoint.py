"""Training that was stopped goes on exactly where it was: everything that changes, in one file, nothing pickled."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.optim import Optimizer

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.tensors import read_tensors, write_tensors


def write_checkpoint(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Tensors, and whatever JSON can hold, in one safetensors file."""
    told = json.dumps(facts)
    write_tensors(path, tensors, {"facts": told, "digest": _digest(tensors, told)})


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `write_checkpoint`. Raises GaussianTalkerError when it is not what was written, or not finite."""
    try:
        tensors, about = read_tensors(path)
        if about["digest"] != _digest(tensors, about["facts"]):
            raise ValueError("not what was written")
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise ValueError("not finite")
        return tensors, json.loads(about["facts"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise damaged(path) from error


def _digest(tensors: dict[str, Tensor], facts: str) -> str:
    """Of all names, kinds, shapes, numbers and facts."""
    found = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def damaged(path: Path) -> GaussianTalkerError:
    return GaussianTalkerError(f"{path} is damaged: remove it, and run the same command again to start anew.")


def optimizer_tensors(optimizers: Mapping[str, Optimizer]) -> dict[str, Tensor]:
    """The moments of all optimizers, named `optimizer/NAME/parameter number/key`."""
    return {
        f"optimizer/{name}/{number}/{key}": torch.as_tensor(value)
        for name, optimizer in optimizers.items()
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def restore_optimizers(optimizers: Mapping[str, Optimizer], tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    for name, optimizer in optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            kind, *rest = key.split("/")
            if kind == "optimizer" and rest[0] == name:
                state.setdefault(int(rest[1]), {})[rest[2]] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
