import platform
import resource

import numpy as np
import pytest

from gaussiantalker.memory import keep_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_a_large_block_is_faulted_in_once():
    keep_memory()
    np.ones(16 << 20, np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(16 << 20, np.float32)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < (64 << 20) / 4096 / 10
