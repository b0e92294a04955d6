"""Reads the tensors of a CTranslate2 `model.bin`, the form in which Whisper ships in package registries."""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gaussiantalker.errors import GaussianTalkerError

_VERSION = 6
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_tensors(path: Path, prefix: str = "") -> dict[str, np.ndarray]:
    """The tensors whose name starts with `prefix`; floating-point ones as float32, 16-bit on disk or not.

    Layout, little-endian: version u32, specification name, its revision u32, count u32; then for each tensor its
    name, rank u8, shape u32 each, type u8, bytes u32, data. A name is its length u16 and a zero-terminated string.
    """
    try:
        with open(path, "rb") as file:
            return _read(file, prefix)
    except (OSError, struct.error, UnicodeDecodeError, ValueError, KeyError) as error:
        raise GaussianTalkerError(f"{path} is not a whole CTranslate2 model; fetch it again.") from error


def _read(file: BinaryIO, prefix: str) -> dict[str, np.ndarray]:
    if _number(file, "<I") != _VERSION:
        raise ValueError("another version of the format")
    _name(file)
    _number(file, "<I")
    tensors = {}
    for _ in range(_number(file, "<I")):
        name = _name(file)
        shape = [_number(file, "<I") for _ in range(_number(file, "B"))]
        kind, size = _TYPES[_number(file, "B")], _number(file, "<I")
        if not name.startswith(prefix):
            file.seek(size, 1)
            continue
        array = np.frombuffer(file.read(size), kind).reshape(shape)
        tensors[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
    return tensors


def _number(file: BinaryIO, form: str) -> int:
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _name(file: BinaryIO) -> str:
    return file.read(_number(file, "<H"))[:-1].decode()
