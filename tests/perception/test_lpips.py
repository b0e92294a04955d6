"""LPIPS by its published behaviour."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.data import astronaut

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.perception import Lpips
from gaussiantalker.perception.lpips import _read_arrays


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return astronaut()[40:136, 180:276]


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_distances_order_as_people_see_them(net: str, picture: np.ndarray, model: Callable[[str], Path]) -> None:
    model(f"lpips-{net}")
    metric = Lpips(net)
    noise = np.random.default_rng(0).normal(0, 40, picture.shape)
    shifted = np.roll(picture, 2, axis=1)
    blurred = gaussian_filter(picture, (3, 3, 0))
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    assert metric.distance(picture, picture) == 0
    assert metric.distance(picture, blurred) == pytest.approx(metric.distance(blurred, picture))
    assert 0.01 < metric.distance(picture, shifted) < 0.2
    assert metric.distance(picture, blurred) > 2 * metric.distance(picture, shifted)
    assert metric.distance(picture, noisy) > 2 * metric.distance(picture, shifted)


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_losses_can_be_descended(net: str, picture: np.ndarray, model: Callable[[str], Path]) -> None:
    model(f"lpips-{net}")
    metric = Lpips(net)
    truth = torch.from_numpy(picture)[None, :64, :64].float() / 255
    guess = (truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    for loss in (metric.loss, metric.feature_loss):
        (slope,) = torch.autograd.grad(loss(guess, truth), guess)
        nearer = guess - 0.02 * slope / slope.abs().mean()
        assert loss(nearer, truth) < loss(guess, truth)
        assert float(loss(truth, truth).detach()) == 0


def test_the_weights_are_the_published_ones(model: Callable[[str], Path]) -> None:
    first = _read_arrays(model("lpips-vgg"))["VGG16_0"]["Conv_0"]["kernel"]
    assert first[0, :3, 0, 0] == pytest.approx([-0.5537, 0.1427, 0.5290], abs=1e-4)


def test_a_file_that_would_run_something_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "evil.ckpt"
    file.write_bytes(pickle.dumps({"x": Path("/")}))
    with pytest.raises(GaussianTalkerError, match="is not a file of arrays"):
        _read_arrays(file)
    file.write_bytes(b"no pickle")
    with pytest.raises(GaussianTalkerError, match="is not a file of arrays"):
        _read_arrays(file)
