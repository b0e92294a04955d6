"""What OpenFace's FeatureExtraction writes: a table with a row a frame."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import existing_file
from gaussiantalker.media.tables import read_table


def read_columns(path: str | Path, names: Sequence[str]) -> np.ndarray:  # [rows, len(names)]
    """These columns of an OpenFace csv.

    Raises GaussianTalkerError when the file is missing, has no rows, lacks a column, or a row lacks a finite value.
    """
    columns = read_table(existing_file(path, "OpenFace csv"), "run OpenFace again", *names)
    for name in names:
        if name not in columns:
            raise GaussianTalkerError(f"{path} has no column {name}; give the csv of OpenFace's FeatureExtraction.")
        if not len(columns[name]):
            raise GaussianTalkerError(f"{path} has no rows; run OpenFace's FeatureExtraction again.")
        if bad := (~np.isfinite(columns[name])).nonzero()[0].tolist():
            raise GaussianTalkerError(f"{path} has no number for {name} in row {bad[0] + 1}; run OpenFace again.")
    return np.stack([columns[name] for name in names], axis=1)
