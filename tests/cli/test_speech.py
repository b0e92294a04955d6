"""The verb `speech`: what a recording is made of, in words and in a picture."""

import re
from pathlib import Path

import av
import numpy as np
import pytest

from gaussiantalker import speech
from gaussiantalker.cli.main import main, read
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.audio import write_wav
from gaussiantalker.media.image import read_image
from gaussiantalker.media.video import write_video

PHONES, FEATURES = 22 + 6, 32 * 6 + 6  # heights in the picture


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two seconds of silence and two of a rattling tone; no weights can be fetched from it."""
    time = np.arange(4 * 16_000) / 16_000
    rattle = 0.3 * np.sin(2 * np.pi * 200 * time) * np.sin(2 * np.pi * 3 * time) * (time >= 2)
    write_wav(tmp_path / "late.wav", rattle.astype(np.float32))
    load = speech.load

    def offline(name: str = "whisper", **others: object) -> speech.Encoder:
        if name == "whisper":
            raise GaussianTalkerError("Whisper could not be fetched.")
        return load(name, **others)

    monkeypatch.setattr(speech, "load", offline)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_speech_and_silence_are_told_and_drawn(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speech", "late.wav"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "Duration: 4.0 s"
    spoken, silent = map(float, re.search(r"Speech: (\S+) s, silence: (\S+) s", told.out).groups())
    assert spoken == pytest.approx(2, abs=0.3) and spoken + silent == pytest.approx(4, abs=0.11)
    assert told.out.splitlines()[-1] == "Written: late.png"
    assert "Language" not in told.out, "a wav file does not say its language"
    assert "features of logmel" in told.err
    height, width, _ = read_image(place / "late.png").shape
    assert width == 400 and height - 256 in (FEATURES, FEATURES + PHONES)


def test_the_pretrained_encoder_is_drawn_where_it_can_be_had(
    place: Path, model: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model("whisper-tiny-en")
    monkeypatch.undo()
    assert main(["speech", str(place / "late.wav"), "--out", str(place / "heard.jpg")]) == 0
    assert "logmel" not in capsys.readouterr().err
    assert read_image(place / "heard.jpg").shape[0] > 256 + FEATURES - 1


def test_a_video_is_heard_and_its_language_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(place / "plain.mp4", [np.zeros((32, 32, 3), np.uint8)] * 25, np.zeros(16_000, np.float32))
    with av.open(str(place / "plain.mp4")) as source, av.open(str(place / "german.mp4"), "w") as target:
        copies = {stream: target.add_stream_from_template(stream) for stream in source.streams}
        copies[source.streams.audio[0]].metadata["language"] = "ger"
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream]
                target.mux(packet)
    assert main(["speech", "german.mp4"]) == 0
    assert "Language: ger" in capsys.readouterr().out
    assert main(["speech", "plain.mp4"]) == 0
    told = capsys.readouterr().out
    assert "Language" not in told and "Speech: 0.0 s" in told


@pytest.mark.parametrize("samples", [1, 100, 5_000])
def test_the_shortest_sounds_have_a_picture(samples: int, place: Path) -> None:
    write_wav(place / "short.wav", np.full(samples, 0.1, np.float32))
    assert main(["speech", "short.wav"]) == 0
    assert read_image(place / "short.png").shape[1] >= 1


def test_minutes_of_sound_are_projected_by_their_beginning(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaussiantalker.cli.speech._FITTED_PIECES", 2)
    write_wav(place / "long.wav", 0.1 * np.random.default_rng(0).standard_normal(62 * 16_000).astype(np.float32))
    assert main(["speech", "long.wav"]) == 0
    assert read_image(place / "long.png").shape[1] == 3_000


def test_the_picture_is_named_after_the_sound() -> None:
    assert read(["speech", "sound/hello.wav"]).file == Path("hello.png")
    assert read(["speech", "hello.wav", "--out", "a/b.jpg"]).file == Path("a/b.jpg")
