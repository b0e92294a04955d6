"""The benchmark of a training step follows the trainer that it cuts into parts."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("method", ["gaussiantalker-star", "mouth-code"])
def test_it_measures_every_part_of_both_stages(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("benchmark_training", ROOT / "benchmarks/training.py")
    training = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmark_training", training)
    spec.loader.exec_module(training)
    monkeypatch.setattr(training, "keep_memory", lambda: None)
    options = training.Options(method=method, count=60, threads=1, steps=2)
    for stage in range(2):
        row = training.measure(options, 48, stage)
        assert all(row[part] >= 0 for part in training.PARTS) and row["cpu"] > 0
    assert training.table([row]).row_count == 1
