import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech import projection


def rows(n=500, channels=20, rank=12):
    rng = np.random.default_rng(0)
    return (5 + rng.standard_normal((n, rank)) @ rng.standard_normal((rank, channels))).astype(np.float32)


def test_components_are_white_and_centred():
    features = rows()
    seen = projection.fit(features, 8).apply(features)
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(seen.T), np.eye(8), atol=0.01)


def test_components_are_the_singular_vectors():
    features = rows()
    _, values, vectors = np.linalg.svd(features - features.mean(axis=0))
    fitted = projection.fit(features, 8)
    np.testing.assert_allclose(fitted.scale, values[:8] / np.sqrt(len(features)), rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(fitted.basis * vectors[:8].T, axis=0)), 1, atol=1e-4)


def test_directions_that_never_varied_say_nothing_even_of_other_sound():
    fitted = projection.fit(rows(rank=4), 10)
    other = fitted.apply(rows(rank=12))
    assert (other[:, 4:] == 0).all()
    assert np.isfinite(other).all() and other[:, :4].std() > 0.1


def test_constant_features_project_to_nothing():
    still = np.full((50, 6), 3, np.float32)
    assert np.abs(projection.fit(still, 3).apply(still)).max() < 1e-3


def test_more_components_than_channels_are_refused():
    with pytest.raises(GaussianTalkerError, match="20 channels cannot give 21"):
        projection.fit(rows(), 21)
