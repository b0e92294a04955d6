"""Tables of numbers that people bring: a .csv file whose first line names the columns, or the arrays of an .npz."""

import csv
from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import existing_file, read_arrays


def read_table(path: str | Path, remedy: str, *names: str) -> dict[str, np.ndarray]:
    """Columns [N] by name: of `names`, in capitals or not, those that are there, or all. Blanks around names are none.

    Raises GaussianTalkerError, with the remedy, for a file that is missing, or no such table: something in these
    columns is not a number, or one is longer than another.
    """
    path, wanted = existing_file(path, "table"), {name.lower(): name for name in names}
    try:
        if path.suffix.lower() == ".npz":
            found = read_arrays(path)
        else:
            found = _columns(path)
        if names:
            found = {wanted[name.lower()]: column for name, column in found.items() if name.lower() in wanted}
        columns = {name: _numbers(name, column) for name, column in found.items()}
        if len({column.shape for column in columns.values()}) > 1 or any(c.ndim != 1 for c in columns.values()):
            raise ValueError("columns of several lengths")
        return columns
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise GaussianTalkerError(f"{path} is not a table of numbers ({error}): {remedy}.") from None


def _columns(path: Path) -> dict[str, np.ndarray]:
    """The words of a .csv file by the names in its first line. Raises ValueError for a line of another length."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        (_, header), *rows = ((lines.line_num, row) for row in lines if row)
    for number, row in rows:
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} of {len(header)} values")
    table = np.array([row for _, row in rows], str).reshape(len(rows), len(header))
    return {name.strip(): column for name, column in zip(header, table.T, strict=True)}


def _numbers(name: str, column: np.ndarray) -> np.ndarray:
    """The same as floats. Raises ValueError with the first that is none."""
    try:
        return np.asarray(column, float)
    except ValueError:
        for value in column:
            try:
                float(value)
            except ValueError:
                raise ValueError(f"{name} has {str(value).strip()!r}") from None
        raise
