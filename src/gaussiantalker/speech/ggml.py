"""Reads the tensors of a Whisper model in the ggml form that whisper.cpp publishes, 32- or 16-bit."""

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from gaussiantalker.errors import GaussianTalkerError

_MAGIC = 0x67676D6C
_TYPES = {0: np.float32, 1: np.float16}


class _Header(NamedTuple):
    """The sizes that a file begins with, in its order."""

    vocabulary: int
    positions: int
    channels: int
    heads: int
    layers: int
    text_positions: int
    text_channels: int
    text_heads: int
    text_layers: int
    bands: int
    type: int


def read_tensors(path: Path, prefix: str = "") -> tuple[_Header, dict[str, np.ndarray]]:
    """The sizes, and as float32 the tensors whose name starts with `prefix`.

    Layout, little-endian i32: magic, the header; the mel filters' two sizes and float32 values; the count of words,
    each with its length and bytes; then, to the end, tensors: rank, length of the name, type, shape (fastest first),
    name, data. Raises GaussianTalkerError for anything else.
    """
    try:
        with open(path, "rb") as file:
            return _read(file, prefix)
    except (OSError, struct.error, UnicodeDecodeError, ValueError, KeyError, MemoryError, OverflowError) as error:
        raise GaussianTalkerError(f"{path} is not a whole ggml model; fetch it again.") from error


def _read(file: BinaryIO, prefix: str) -> tuple[_Header, dict[str, np.ndarray]]:
    if _integers(file, 1)[0] != _MAGIC:
        raise ValueError("another format")
    header = _Header(*_integers(file, len(_Header._fields)))
    bands, bins = _integers(file, 2)
    file.seek(4 * bands * bins, 1)
    for _ in range(_integers(file, 1)[0]):
        file.seek(_integers(file, 1)[0], 1)
    tensors = {}
    while start := file.read(4):
        rank = struct.unpack("<i", start)[0]
        length, kind = _integers(file, 2)
        shape = _integers(file, rank)[::-1]
        name, dtype = file.read(length).decode(), np.dtype(_TYPES[kind])
        size = int(np.prod(shape)) * dtype.itemsize
        data = file.read(size)
        if len(data) < size:
            raise ValueError("cut short")
        if name.startswith(prefix):
            tensors[name] = np.frombuffer(data, dtype).reshape(shape).astype(np.float32)
    return header, tensors


def _integers(file: BinaryIO, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}i", file.read(4 * count))
