"""Reads arrays from a pickle file without letting the file run anything."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct

from gaussiantalker.errors import GaussianTalkerError

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ALLOWED[module, name]


def read_arrays(path: Path) -> dict[str, Any]:
    """Nested dicts of numpy arrays. Raises GaussianTalkerError when the file holds anything else."""
    try:
        with open(path, "rb") as file:
            return _ArraysOnly(file).load()
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        raise GaussianTalkerError(f"{path} is not a file of arrays ({error}); remove it to fetch it again.") from None
