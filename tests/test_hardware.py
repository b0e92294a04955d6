"""What the machine tells about itself is plausible and fits into JSON."""

import json
import platform

import numpy as np
import pytest
import torch

from gaussiantalker import hardware
from gaussiantalker.errors import GaussianTalkerError


def test_the_machine_describes_itself() -> None:
    found = hardware.describe()
    assert found["cores"] >= 1 and found["processor"] and found["torch"]
    assert json.loads(json.dumps(found)) == found


def test_memory_in_use_is_between_a_megabyte_and_the_whole_machine() -> None:
    peak, whole = hardware.peak_memory_bytes(), hardware._memory_gib()
    assert peak is None or peak > 1e6
    assert peak is None or whole is None or peak < whole * 2**30


def test_a_device_is_chosen_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert hardware.device() == hardware.device("cpu") == torch.device("cpu")
    with pytest.raises(GaussianTalkerError, match="no GPU"):
        hardware.device("cuda")
    with pytest.raises(GaussianTalkerError, match="choose auto, cpu, or cuda"):
        hardware.device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert hardware.device("cuda") == torch.device("cuda")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_a_large_block_is_faulted_in_once() -> None:
    import resource

    hardware.keep_memory()
    np.ones(16 << 20, np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(16 << 20, np.float32)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < (64 << 20) / 4096 / 10
