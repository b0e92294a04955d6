"""What the machine tells about itself is plausible and fits into JSON."""

import json

from gaussiantalker import hardware


def test_the_machine_describes_itself() -> None:
    found = hardware.describe()
    assert found["cores"] >= 1 and found["processor"] and found["torch"]
    assert json.loads(json.dumps(found)) == found


def test_memory_in_use_is_between_a_megabyte_and_the_whole_machine() -> None:
    peak, whole = hardware.peak_memory_bytes(), hardware.memory_gib()
    assert peak is None or peak > 1e6
    assert peak is None or whole is None or peak < whole * 2**30
