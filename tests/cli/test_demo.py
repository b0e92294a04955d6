"""The demo's order of steps, on stand-ins for the steps."""

import json
import os
from pathlib import Path

import pytest

from gaussiantalker.cli import demo
from gaussiantalker.cli.main import main

NUMBERS = {"metrics": {"psnr_head": {"label": "PSNR, head", "value": 30.5, "unit": "dB"}}}


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every step writes what it should and its name into this list."""
    done: list[str] = []
    samples = tmp_path / "samples"
    samples.mkdir()
    (samples / "speaker.mp4").write_bytes(b"video")

    def capture(video: Path, out: Path, *, size: int, consent: str, progress: object) -> None:
        done.append(f"capture {video.name} at {size}")

    def train(capture: Path, out: Path, *, schedule: str, device: str, progress: object) -> None:
        done.append(f"train {schedule}")
        out.mkdir(parents=True, exist_ok=True)
        if not (out / "avatar.json").exists():
            (out / "avatar.json").write_text("{}")

    class Avatar:
        @classmethod
        def load(cls, path: Path, progress: object, device: str) -> "Avatar":
            return cls()

        def speak(self, audio: Path) -> "Avatar":
            done.append(f"speak {audio.name}")
            return self

        def save(self, path: Path, progress: object) -> None:
            path.write_bytes(b"mp4")

    def evaluate(avatar: Path, capture: Path, **options: object) -> None:
        done.append(f"evaluate {sorted(options)}")
        for name in ("comparison.mp4", "report.html"):
            (avatar / name).write_bytes(b"")
        (avatar / "evaluation.json").write_text(json.dumps(NUMBERS))

    monkeypatch.setattr(demo, "_sample_folder", lambda: samples)
    monkeypatch.setattr("gaussiantalker.capture.capture", capture)
    monkeypatch.setattr("gaussiantalker.training.train", train)
    monkeypatch.setattr("gaussiantalker.evaluation.evaluate", evaluate)  # first: its module binds the true Avatar
    monkeypatch.setattr("gaussiantalker.speaking.Avatar", Avatar)
    return done


def test_the_whole_journey_and_where_it_ends(
    steps: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    assert steps == [
        "capture speaker.mp4 at 256",
        "train demo",
        "speak driving.wav",
        "evaluate ['audio', 'device', 'progress', 'quick', 'truth']",
    ]
    told = capsys.readouterr().out
    for part in ("PSNR, head", "30.50 dB", str(out / "speaks.mp4"), str(out / "report.html")):
        assert part in told
    assert (out / "comparison.mp4").exists() and (out / "report.html").exists()


def test_a_second_run_does_nothing_twice(steps: list[str], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    main(["demo", "--out", str(out)])
    steps.clear()
    assert main(["demo", "--out", str(out)]) == 0
    assert steps == ["capture speaker.mp4 at 256", "train demo"]  # both find their work done


def test_a_newer_avatar_speaks_and_is_measured_again(steps: list[str], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    main(["demo", "--out", str(out)])
    steps.clear()
    later = (out / "speaks.mp4").stat().st_mtime + 10
    os.utime(out / "avatar" / "avatar.json", (later, later))
    main(["demo", "--out", str(out)])
    assert [step.split()[0] for step in steps] == ["capture", "train", "speak", "evaluate"]


def test_without_the_sample_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "a" / "b" / "c" / "demo.py"))
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert "run the demo from a clone of the repository" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
