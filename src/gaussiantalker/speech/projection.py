"""Principal components: what the talker sees of an encoder's hundreds of channels."""

from dataclasses import dataclass

import numpy as np

from gaussiantalker.errors import GaussianTalkerError

_FLOOR = 0.01  # of the largest deviation: a direction that varied less was not heard, and is left out


@dataclass(frozen=True)
class Projection:
    """Centred, rotated and whitened: (x - mean) @ basis / scale."""

    mean: np.ndarray  # [C]
    basis: np.ndarray  # [C, k], orthonormal columns, or zero
    scale: np.ndarray  # [k]

    def apply(self, features: np.ndarray) -> np.ndarray:
        """float32 [..., k] of features [..., C]."""
        return ((features - self.mean) @ self.basis / self.scale).astype(np.float32)


def fit(features: np.ndarray, channels: int = 32) -> Projection:
    """The directions in which rows [N, C] vary most, strongest first, each scaled to unit variance.

    Components beyond those in which the rows vary at all are zero, for these rows and for any others: scaled up, what
    another voice does there would drown the rest.
    Raises GaussianTalkerError when there are fewer than two rows or fewer channels than asked for.
    """
    rows, width = features.shape
    if rows < 2 or channels > width:
        raise GaussianTalkerError(f"{rows} rows of {width} channels cannot give {channels} components; use more sound.")
    mean = features.mean(axis=0, dtype=np.float64)
    covariance = _covariance(features, mean)
    variance, vectors = np.linalg.eigh(covariance)
    variance, vectors = variance[::-1][:channels], vectors[:, ::-1][:, :channels]
    strongest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    deviation = np.sqrt(np.maximum(variance, 0))
    heard = deviation > max(_FLOOR * deviation[0], 1e-6)
    basis = vectors * np.sign(strongest) * heard
    return Projection(*(x.astype(np.float32) for x in (mean, basis, np.where(heard, deviation, 1))))


def _covariance(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """[C, C], summed over pieces of the rows, so that an hour's features are not copied at double precision."""
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(features), 10_000):
        centred = features[start : start + 10_000] - mean
        total += centred.T @ centred
    return total / len(features)
