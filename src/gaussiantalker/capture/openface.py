"""What OpenFace's FeatureExtraction writes: a table with a row a frame."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import existing_file


def read_columns(path: str | Path, names: Sequence[str]) -> np.ndarray:  # [rows, len(names)]
    """These columns of an OpenFace csv.

    Column names are taken with or without the blanks that some builds of OpenFace put before them. Raises
    GaussianTalkerError when the file is missing, has no rows, lacks a column, or a row lacks a finite value.
    """
    path = existing_file(path, "OpenFace csv")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            missing = [name for name in names if name not in header]
            if missing:
                raise GaussianTalkerError(
                    f"{path} has no column {missing[0]}; give the csv of OpenFace's FeatureExtraction."
                )
            places = [header.index(name) for name in names]
            values = [[float(row[place]) for place in places] for row in rows if row]
    except (ValueError, IndexError, csv.Error) as error:
        raise GaussianTalkerError(f"{path} is not a table of numbers ({error}); run OpenFace again.") from None
    if not values:
        raise GaussianTalkerError(f"{path} has no rows; run OpenFace's FeatureExtraction again.")
    table = np.array(values)
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        row, column = bad[0]
        raise GaussianTalkerError(f"{path} has no number for {names[column]} in row {row + 1}; run OpenFace again.")
    return table
