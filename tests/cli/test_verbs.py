"""Every verb meets what is missing or wrong with one sentence, exit code 2 and nothing written."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gaussiantalker import pretrained
from gaussiantalker.cli.main import main
from gaussiantalker.media.audio import write_wav
from gaussiantalker.media.video import write_video


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text that calls itself a video, a sound, and videos with and without a face or sound."""
    write_wav(tmp_path / "tone.wav", np.sin(np.arange(16000) / 10).astype(np.float32))
    (tmp_path / "text.mp4").write_text("This is no video.")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    write_video(tmp_path / "mute.mp4", [np.zeros((32, 32, 3), np.uint8)] * 3)
    write_video(tmp_path / "faceless.mp4", [np.zeros((128, 128, 3), np.uint8)] * 12, np.zeros(7680, np.float32))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "capture missing.mp4 --out new",
        "capture text.mp4 --out new",
        "capture empty.mp4 --out new",
        "capture folder --out new",
        "capture faceless.mp4 --out new --size 7",
        "capture faceless.mp4 --out tone.wav",
        "train missing --out new",
        "train tone.wav --out new",
        "train folder --out new",
        "train folder --out new --method gaussiantaker",
        "train folder --out new --schedule forever",
        "speak missing tone.wav --out new.mp4",
        "speak folder tone.wav --out new.mp4",
        "speak folder missing.wav --out new.mp4",
        "evaluate missing",
        "evaluate folder",
        "evaluate tone.wav",
        "evaluate folder --openface missing.csv missing.csv",
        "compare folder",
        "compare folder missing",
        "reproduce 9 folder",
        "reproduce 1 missing",
        "reproduce 2 folder",
        "reproduce 4 folder --preset slow",
        "reproduce egstalker folder --seeds 0",
        "speech missing.wav",
        "speech text.mp4 --out new.png",
        "speech empty.mp4",
        "speech folder",
        "speech mute.mp4",
        "speech tone.wav --out new.wav",
        "models fetch no-such-model",
    ],
)
def test_bad_input(line: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.rglob("*"))
    assert main(line.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.strip().splitlines()) == 1, told.err
    assert len(told.err.split()) >= 5
    assert "Traceback" not in told.err
    assert sorted(place.rglob("*")) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    "line",
    [
        "train folder",
        "speak folder tone.wav",
        "serve folder --port 0",
        "evaluate folder",
        "reproduce 4 folder",
    ],
)
def test_every_verb_that_computes_takes_a_device(line: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.rglob("*"))
    for device, sentence in (("cuda", "torch finds no GPU here"), ("abacus", "There is no device 'abacus'")):
        assert main([*line.split(), "--device", device]) == 2
        assert sentence in capsys.readouterr().err
    assert sorted(place.rglob("*")) == before


def test_a_video_without_a_face_is_said_so(place: Path, model: object, capsys: pytest.CaptureFixture[str]) -> None:
    model("face-landmarker"), model("face-parser")
    assert main(["capture", "faceless.mp4", "--out", "new"]) == 2
    assert "face" in capsys.readouterr().err.splitlines()[-1]
    assert not (place / "new" / "capture.json").exists()


def test_an_unknown_method_is_answered_with_the_known_ones(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "folder", "--method", "gaussiantaker"]) == 2
    assert "gaussiantalker-star" in capsys.readouterr().err


def test_models_are_listed_with_their_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("face-landmarker") and "Apache-2.0" in line for line in lines)


def test_voices_are_fetched_when_they_are_asked_for(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(pretrained, "path", lambda name, progress: name)

    def fetched(*names: str) -> list[str]:
        assert main(["models", "fetch", *names]) == 0
        return [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]

    assert "face-parser" in fetched() and not any(name.startswith(("kokoro", "english")) for name in fetched())
    assert fetched("kokoro", "english") == [n for n in pretrained.MODELS if n.startswith(("kokoro", "english"))]
    assert fetched("whisper-tiny") == ["whisper-tiny"]


def test_the_doctor_tells_what_a_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert all(word in told for word in ("processor", "python", "torch", "gaussiantalker", "face-landmarker"))
