"""A run that was killed at any moment goes on where it was, and ends as if nothing had happened."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.capture import Capture, capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.lock import locked

# Captures a film and kills itself, without any farewell, when a stage has done so many steps.
DIE = """
import os, signal, sys
from gaussiantalker.capture import capture
from gaussiantalker.progress import Silent

class Killer(Silent):
    def stage(self, name, total):
        self.name = name
    def update(self, done, **numbers):
        if self.name == sys.argv[4] and done >= int(sys.argv[5]):
            os.kill(os.getpid(), signal.SIGKILL)

capture(sys.argv[1], sys.argv[2], size=int(sys.argv[3]), consent="drawn by a test", progress=Killer())
"""


class Steps:
    """Remembers the first step that each stage told."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}
        self.name = ""

    def stage(self, name: str, total: int) -> None:
        self.name = name

    def update(self, done: int, **numbers: float) -> None:
        self.first.setdefault(self.name, done)

    def note(self, text: str) -> None:
        pass


def test_killed_in_each_long_stage_it_ends_the_same(captured: Capture, film: Path, tmp_path: Path) -> None:
    out = tmp_path / "cap"
    for stage, step in (("landmarks", 25), ("head, neck and torso masks", 20), ("background and torso", 30)):
        command = [sys.executable, "-c", DIE, str(film), str(out), str(captured.size), stage, str(step)]
        died = subprocess.run(command, capture_output=True, text=True, check=False)
        assert died.returncode == -signal.SIGKILL, died.stderr
        with pytest.raises(GaussianTalkerError, match="not finished"):
            Capture.load(out)
    steps = Steps()
    finished = capture(film, out, size=captured.size, consent="drawn by a test", progress=steps)
    assert "landmarks" not in steps.first, "what was finished is not done again"
    assert 20 < steps.first["background and torso"] <= 45, "what was begun is not begun again"
    assert finished.fingerprint == captured.fingerprint
    assert {p.name for p in out.iterdir()} == {p.name for p in captured.path.iterdir()}
    for name in ("frames.npy", "landmarks.npy", "labels.npy", "plates.npy"):
        assert np.array_equal(np.load(out / name), np.load(captured.path / name), equal_nan=True), name
    assert "running" not in json.loads((out / "capture.json").read_text())


# Kills itself while the record is written for the first time.
DIE_AT_ONCE = """
import os, signal, sys
from gaussiantalker.capture import capture
from gaussiantalker.media import files

files.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
capture(sys.argv[1], sys.argv[2], size=128)
"""


def test_killed_before_there_is_a_record_the_folder_is_still_ours(film: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", DIE_AT_ONCE, str(film), str(tmp_path / "cap")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    left = {path.name for path in (tmp_path / "cap").iterdir()}
    assert ".lock" in left and any(name.startswith(".capture.") for name in left) and "capture.json" not in left
    with pytest.raises(RuntimeError, match="begins"):
        capture(film, tmp_path / "cap", size=128, progress=Begins())
    assert not [name for name in left if (tmp_path / "cap" / name).exists()]


class Begins(Steps):
    """Stops at the first stage."""

    def __init__(self) -> None:
        pass

    def stage(self, name: str, total: int) -> None:
        raise RuntimeError("begins")


def test_the_second_of_two_captures_is_told(film: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "cap", "capture"):
        with pytest.raises(GaussianTalkerError, match="somebody works here"):
            capture(film, tmp_path / "cap", size=128)


def test_a_forced_stage_runs_again_and_what_it_leaves_equal_does_not(captured: Capture, film: Path) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in captured.path.iterdir()}
    capture(film, captured.path, size=captured.size, force=["labels"])
    after = {p.name: p.stat().st_mtime_ns for p in captured.path.iterdir()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"capture.json", "labels.npy"}
    with pytest.raises(GaussianTalkerError, match="no stage 'label' to force; choose from ingest, tracking"):
        capture(film, captured.path, size=captured.size, force=["label"])
