"""The script for a GPU that is lent for minutes must not fail there for what could be seen here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
FRAMES, SIZE, POINTS = 20, 48, 60
NOT_THERE = "ai_edge_litert aiortc av c2pa fastapi httpx pocketsphinx rich skimage soundfile soxr tyro uvicorn"
IN_A_BARE_PLACE = """
import runpy, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(), None))
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def a_capture() -> SimpleNamespace:
    """Noise, and a face that moves a little."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    tracking = SimpleNamespace(
        landmarks=rng.uniform(10, 38, (FRAMES, 478, 2)).astype(np.float32),
        found=np.ones(FRAMES, bool),
        hidden=np.zeros(FRAMES, bool),
        blink=rng.random(FRAMES, np.float32),
        blendshapes=rng.random((FRAMES, 52), np.float32),
        lip_opening=rng.random(FRAMES, np.float32),
        rotations=np.tile(np.eye(3), (FRAMES, 1, 1)),
        translations=np.array([0, 0, 8]) + 0.05 * rng.normal(size=(FRAMES, 3)),
        points=rng.normal(size=(POINTS, 3)).astype(np.float32),
        colors=rng.random((POINTS, 3), np.float32),
        regions=np.zeros(POINTS, np.int8),
    )
    camera = SimpleNamespace(K=np.array([[70.0, 0, 24], [0, 70.0, 24], [0, 0, 1]]))
    labels = (pictures[0, ..., 0] > 100).astype(np.uint8)
    return SimpleNamespace(
        tracking=tracking, camera=camera, images=pictures[0], plates=pictures[1], labels=labels, frames=FRAMES
    )


def test_it_runs_through_without_what_is_missing_there(tmp_path: Path) -> None:
    pytest.importorskip("triton")
    where = importlib.util.spec_from_file_location("gpu", ROOT / "benchmarks" / "gpu.py")
    script = importlib.util.module_from_spec(where)
    where.loader.exec_module(script)
    footage, results = tmp_path / "footage.npz", tmp_path / "results.json"
    heard = np.random.default_rng(0).normal(size=(FRAMES, 8, 16, 8))
    script.write_footage(footage, a_capture(), heard, FRAMES)
    arguments = "run", "--footage", str(footage), "--out", str(results), "--miniature"
    command = [
        sys.executable,
        "-c",
        IN_A_BARE_PLACE,
        NOT_THERE,
        str(ROOT / "benchmarks" / "gpu.py"),
        *arguments,
    ]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text())
    assert set(script.PARTS) < set(found)
    assert not [name for name, result in found.items() if "failed" in result]
    assert found["whole training"]["finished"]
    assert len(found["pictures"]) == 4 and all(row["recorded"] > 0 for row in found["pictures"])
