"""Protocol-buffer messages, field by field, for the few files of that kind: no runtime of protobuf is needed."""

from collections.abc import Iterator
from typing import Any

_FIXED = {1: 8, 5: 4}  # bytes by wire type


def message_fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers and raw values of a message: numbers, and bytes.

    Raises IndexError for a message that ends early, and ValueError for fields of a kind that is no more in use.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2 or kind in _FIXED:
            length, at = (_FIXED[kind], at) if kind in _FIXED else _varint(data, at)
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"wire type {kind}")
        yield number, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
