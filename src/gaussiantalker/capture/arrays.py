"""Arrays of one row per frame that are longer than memory: .npy files written and read in pieces.

Plain reads instead of a memory map keep a capture's own memory small at any length of video; whoever trains from
the finished files maps them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gaussiantalker.media.files import read_array

_HEADER = 128


class ArrayWriter:
    """Appends rows to a .npy file whose length is known only at the end; use as a context manager.

    With `resume` the whole rows that a killed run left in the file are kept, and `rows` says how many they are.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...], dtype: type = np.uint8, *, resume: bool = False) -> None:
        self._path, self._shape, self._dtype = path, row_shape, np.dtype(dtype)
        self._row_bytes = int(np.prod(row_shape)) * self._dtype.itemsize
        self._resume, self.rows = resume, 0

    def __enter__(self) -> "ArrayWriter":
        left = file_size(self._path) - _HEADER if self._resume else 0
        self._file = open(self._path, "r+b" if left > 0 else "w+b")
        self._file.write(b"\0" * _HEADER)
        self.keep(max(left, 0) // self._row_bytes)
        return self

    def keep(self, rows: int) -> None:
        """Drops what lies behind the first `rows`."""
        self.rows = rows
        self._file.seek(_HEADER + rows * self._row_bytes)
        self._file.truncate()

    def append(self, rows: np.ndarray) -> None:
        """Adds [n, *row_shape]."""
        assert rows.shape[1:] == self._shape, (rows.shape, self._shape)
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)
        self.rows += len(rows)

    def row(self, k: int) -> np.ndarray:
        """One of the rows written so far."""
        self._file.seek(_HEADER + k * self._row_bytes)
        row = np.frombuffer(self._file.read(self._row_bytes), self._dtype).reshape(self._shape)
        self._file.seek(0, os.SEEK_END)
        return row

    def __exit__(self, *_: object) -> None:
        description = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.rows, *self._shape)}
        text = repr(description).encode("latin1")
        self._file.seek(0)
        self._file.write(b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little"))
        self._file.write(text + b" " * (_HEADER - 11 - len(text)) + b"\n")
        self._file.close()


class ArrayReader:
    """Rows of a .npy file, read when asked for."""

    def __init__(self, path: Path) -> None:
        mapped = read_array(path, mapped=True)
        assert isinstance(mapped, np.memmap)
        self.shape, self._dtype, self._offset = mapped.shape, mapped.dtype, mapped.offset
        self._row_bytes = int(np.prod(self.shape[1:])) * self._dtype.itemsize
        self._path = path

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | int) -> np.ndarray:
        """Consecutive rows [n, ...], or one row."""
        if not isinstance(rows, slice):
            return self[rows : rows + 1][0]
        start, stop, _ = rows.indices(len(self))
        with open(self._path, "rb", buffering=0) as file:
            file.seek(self._offset + start * self._row_bytes)
            count = max(stop - start, 0) * self._row_bytes // self._dtype.itemsize
            return np.fromfile(file, self._dtype, count).reshape(-1, *self.shape[1:])

    def sampled(self, count: int) -> np.ndarray:
        """At most `count` rows, evenly spread."""
        return np.stack([self[int(k)] for k in spread(len(self), count)])

    def chunks(self, rows: int) -> Iterator[tuple[int, np.ndarray]]:
        """First index and rows of consecutive pieces."""
        for start in range(0, len(self), rows):
            yield start, self[start : start + rows]


def spread(length: int, count: int) -> np.ndarray:
    """At most `count` indices spread evenly over [0, length), ends included."""
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))


def bridge(values: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Rows [N, ...] with those not found filled in linearly from their neighbours in time."""
    if found.all():
        return values
    out, seen, missing = values.copy(), np.flatnonzero(found), np.flatnonzero(~found)
    for column in out.reshape(len(out), -1).T:
        column[missing] = np.interp(missing, seen, column[seen])
    return out


def file_size(path: Path) -> int:
    """Bytes of a file, -1 when it is not there."""
    return os.stat(path).st_size if path.is_file() else -1
