"""Sound may come through a pipe, names may begin with a dash, and nothing of the user's is written over."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.cli.main import main, read
from gaussiantalker.cli.options import quoted
from gaussiantalker.media.audio import write_wav
from gaussiantalker.media.image import write_image
from gaussiantalker.media.video import write_video

RUN = [sys.executable, "-c", "import sys; from gaussiantalker.cli.main import main; sys.exit(main())"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAUSSIANTALKER_CACHE", str(tmp_path / "cache"))
    sound = 0.3 * np.random.default_rng(0).standard_normal(32_000).clip(-1, 1).astype(np.float32)
    write_wav(tmp_path / "a.wav", sound)
    write_video(tmp_path / "film.mp4", [np.zeros((32, 32, 3), np.uint8)] * 50, sound)
    return tmp_path


@pytest.fixture
def logmel_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture of the features without any model, so that nothing is fetched."""
    monkeypatch.setattr("gaussiantalker.cli.speech._phones", lambda audio, progress: [])
    monkeypatch.setattr("gaussiantalker.cli.speech._features", lambda audio, progress: np.zeros((100, 32), np.float32))


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
@pytest.mark.parametrize("source", ["a.wav", "film.mp4"])
def test_sound_through_a_pipe(place: Path, name: str, source: str) -> None:
    code = RUN[-1].replace(
        "sys.exit",
        "import gaussiantalker.cli.speech as s, numpy as n; "
        "s._phones = lambda a, p: []; s._features = lambda a, p: n.zeros((100, 32)); sys.exit",
    )
    done = subprocess.run(
        [*RUN[:2], code, "speech", name], input=(place / source).read_bytes(), capture_output=True, cwd=place
    )
    assert done.returncode == 0, done.stderr
    assert b"Duration: 2.0 s" in done.stdout and b"Written: piped.png" in done.stdout
    assert (place / "piped.png").exists()


def test_a_named_pipe_that_brings_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(place / "pipe")
    writer = subprocess.Popen([sys.executable, "-c", "open('pipe', 'wb').close()"], cwd=place)
    assert main(["speech", "pipe"]) == 2
    writer.wait()
    assert "Nothing came through pipe" in capsys.readouterr().err


def test_a_leading_dash_and_the_word_debug_after_two_dashes(
    place: Path, logmel_only: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "a.wav").rename(place / "-a.wav")
    assert main(["speech", "--", "-a.wav"]) == 0
    assert (place / "-a.png").exists()
    assert read(["speech", "--", "--debug"]).audio == Path("--debug")
    assert main(["speech", "--", "--debug"]) == 2
    assert "--debug does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "word"), [("plain", "plain"), ("two words", "'two words'"), ("-x", "./-x"), ("it's", "'it'\"'\"'s'")]
)
def test_what_a_shell_would_split_is_quoted(path: str, word: str) -> None:
    assert quoted(Path(path)) == word


def test_speech_replaces_only_its_own_pictures(
    place: Path, logmel_only: None, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(place / "a.png", np.zeros((8, 8, 3), np.uint8))
    before = (place / "a.png").read_bytes()
    assert main(["speech", "a.wav"]) == 2
    assert "a.png exists and was not written by GaussianTalker" in capsys.readouterr().err
    assert (place / "a.png").read_bytes() == before
    assert main(["speech", "a.wav", "--force"]) == 0
    assert (place / "a.png").read_bytes() != before
    assert main(["speech", "a.wav"]) == 0, "its own picture is written anew"


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ([], "film.mp4 is what is read"),
        (["--out", "other.mp4"], "other.mp4 exists and was not written"),
        (["--out", "a.wav"], "ends in .mp4"),
        (["--out", "folder"], "is a folder"),
        (["--out", "none/film.mp4"], "none does not exist"),
        (["--out", "x" * 246 + ".mp4"], "too long"),
    ],
)
def test_speak_knows_what_it_may_write_before_anything_else(
    place: Path, capsys: pytest.CaptureFixture[str], out: list[str], words: str
) -> None:
    (place / "folder").mkdir()
    (place / "other.mp4").write_bytes((place / "film.mp4").read_bytes())
    before = {path: path.read_bytes() for path in place.glob("*.*")}
    assert main(["speak", "no-avatar", "film.mp4", *out]) == 2
    assert words in capsys.readouterr().err
    assert {path: path.read_bytes() for path in place.glob("*.*")} == before
    if not out or out[1] == "other.mp4":
        assert main(["speak", "no-avatar", "film.mp4", *out, "--force"]) == 2
        assert "no-avatar is not an avatar" in capsys.readouterr().err
