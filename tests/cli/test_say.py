"""A text becomes a film in which it is heard."""

from pathlib import Path

import numpy as np
import pytest
from dotted_avatar import save_dots

from gaussiantalker.cli.main import main
from gaussiantalker.media.audio import read_audio


class Hum:
    rate = 24_000

    def say(self, text: str):
        for word in text.split():
            yield np.full(self.rate // 5, len(word) / 10, np.float32)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    save_dots(tmp_path / "dots")
    return tmp_path


def test_a_text_is_said(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []
    monkeypatch.setattr("gaussiantalker.voice.find_voice", lambda name, progress: asked.append(name) or Hum())
    assert main(["say", "dots", "one three", "--voice", "bella", "--exact", "--out", "a.mp4"]) == 0
    assert capsys.readouterr().out == "Written: a.mp4\n" and asked == ["bella"]
    assert len(read_audio(place / "a.mp4")) == pytest.approx(16_000 * 0.4, abs=1500)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none", "Hello"], "is not an avatar"),
        (["dots", "Hello", "--voice", "nobody"], "choose one of heart"),
        (["dots", "Hello", "--out", "a.wav"], "ends in"),
        (["dots"], "Missing from gaussiantalker say: TEXT"),
    ],
)
def test_mistakes_are_told_in_a_sentence(place: Path, words: list[str], told: str, capsys) -> None:
    assert main(["say", *words]) == 2
    assert told in capsys.readouterr().err
