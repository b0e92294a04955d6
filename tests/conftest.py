"""What every test shares: quiet threads, and pretrained models where they can be had."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():  # Triton reads it once, when it is imported
    os.environ.setdefault("TRITON_INTERPRET", "1")

# How long one example takes depends on who else uses the machine, and no test asserts wall time.
# Continuous integration repeats the same examples, so that it fails for a change and not by chance; elsewhere every run
# looks for new ones.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")


@pytest.fixture(autouse=True)
def pinned_threads() -> None:
    """Small operations gain nothing from a second thread, and wait long for it where cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture
def heeds_control_c() -> Iterator[None]:
    """A shell starts what runs in its background deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def model() -> Callable[[str], Path]:
    """`model("face-landmarker")` is the path of a pretrained model; where it cannot be fetched the test is skipped, but
    fails in continuous integration, which would else pass without the half of what it is for."""
    from gaussiantalker import pretrained
    from gaussiantalker.errors import GaussianTalkerError

    def get(name: str) -> Path:
        try:
            return pretrained.path(name)
        except GaussianTalkerError as error:
            (pytest.fail if "CI" in os.environ else pytest.skip)(str(error))

    return get
