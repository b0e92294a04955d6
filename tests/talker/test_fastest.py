"""The fastest way on this machine is found once, and taken."""

import json
from pathlib import Path

import pytest
import torch

from gaussiantalker.talker import fast_products, fastest, regressors
from gaussiantalker.talker.fastest import BFLOAT16, KERNELS, TORCH, _Found


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where measurements go, with none there yet."""
    monkeypatch.setattr(fastest, "kernel_folder", lambda file: tmp_path)
    fastest.found.cache_clear()
    yield tmp_path / "speeds.json"
    fastest.found.cache_clear()


def network(seed: int = 0) -> tuple:
    torch.manual_seed(seed)
    return (
        torch.randn(70, 8),
        torch.randn(32, 8),
        torch.randn(32),
        [torch.randn(3, 16), torch.randn(5, 16)],
        [
            torch.zeros(3),
            torch.zeros(5),
        ],
    )


def test_it_is_measured_once_and_kept(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.inference_mode():  # as when an avatar speaks
        first = fastest.found()
    assert {KERNELS, TORCH} <= set(first.speeds["speaking"]) and set(first.speeds["training"]) == {KERNELS, TORCH}
    assert all(speed > 0 for speeds in first.speeds.values() for speed in speeds.values())
    (kept,) = json.loads(measured.read_text()).values()
    assert kept == first.speeds
    fastest.found.cache_clear()
    monkeypatch.setattr(fastest, "_speaking", lambda: pytest.fail("measured again"))
    assert fastest.found() == first


def test_a_damaged_file_or_another_processor_is_measured_anew(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured.write_text("{")
    monkeypatch.setattr(fastest, "_speaking", lambda: {KERNELS: 1.0})
    monkeypatch.setattr(fastest, "_training", lambda: {KERNELS: 1.0})
    assert fastest.found().best("speaking") == KERNELS
    fastest.found.cache_clear()
    monkeypatch.setattr(fastest.hardware, "processor", lambda: "another")
    monkeypatch.setattr(fastest, "_speaking", lambda: {KERNELS: 1.0, TORCH: 2.0})
    assert fastest.found().best("speaking") == TORCH
    assert len(json.loads(measured.read_text())) == 2


@pytest.mark.parametrize("best", [BFLOAT16, KERNELS, TORCH])
def test_the_best_is_taken_for_speaking_alone_and_only_where_it_may(best: str, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = {way: 2.0 if way == best else 1.0 for way in (BFLOAT16, KERNELS, TORCH)}
    monkeypatch.setattr(fastest, "found", lambda: _Found({"speaking": speeds, "training": {KERNELS: 1.0}}))
    assert fastest.fastest() == KERNELS, "whoever asks for exact products gets them"
    with fast_products():
        assert fastest.fastest() == KERNELS, "where something is learnt"
        with torch.inference_mode():
            assert fastest.fastest() == best


@pytest.mark.parametrize("best", [KERNELS, TORCH])
def test_all_ways_say_the_same(best: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest, "found", lambda: _Found({"speaking": {best: 1.0}, "training": {best: 1.0}}))
    with torch.inference_mode(), fast_products():
        found = regressors._perceptrons(*network())
    expected = regressors.perceptrons_reference(*(_double(part) for part in network()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=2e-2 if best == TORCH else 1e-4, atol=0.2)


def _double(part):
    return [each.double() for each in part] if isinstance(part, list) else part.double()
