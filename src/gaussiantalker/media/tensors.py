"""Tensors in one safetensors file, whose bytes depend on nothing but what it holds."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from gaussiantalker.media.files import atomic_path


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Tensors by name, and words about them.

    Those are put into the header here, in order: safetensors writes them in another one each time.
    """
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    end = 8 + int.from_bytes(data[:8], "little")
    words = {"__metadata__": dict(sorted(about.items()))} if about else {}
    header = json.dumps(words | json.loads(data[8:end]), separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # numbers stay where processors want them
    with atomic_path(path) as temporary:  # safetensors' own writer would make the file private
        temporary.write_bytes(len(header).to_bytes(8, "little") + header + data[end:])


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The opposite. Raises SafetensorError or OSError for a file that is none."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
