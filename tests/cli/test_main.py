"""The command line: light to start, and clear about mistakes."""

import subprocess
import sys
from pathlib import Path

import pytest

from gaussiantalker.cli.main import VERBS, main, read
from gaussiantalker.errors import GaussianTalkerError

HEAVY = ("torch", "numba", "scipy", "skimage", "av")


@pytest.mark.parametrize(
    "code",
    [
        "import gaussiantalker",
        "import gaussiantalker; dir(gaussiantalker)",
        "from gaussiantalker.cli.main import main; main(['--help'])",
        "from gaussiantalker.cli.main import main; main(['train', '--help'])",
        "from gaussiantalker.cli.main import main; main(['no-such-verb'])",
    ],
)
def test_nothing_heavy_is_imported_before_a_verb_runs(code: str) -> None:
    probe = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
        f"sys.exit(','.join(m for m in {HEAVY!r} if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")],
)
def test_too_little_memory_is_one_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: object, progress: object) -> str:
        raise error

    monkeypatch.setattr(VERBS["doctor"], "run", fail)
    assert main(["doctor"]) == 1
    assert "There is not enough memory for this: close other programs" in capsys.readouterr().err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 0
    assert "usage: gaussiantalker" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert VERBS[verb].__doc__.split()[0] in shown
    assert "{None}" not in shown


def test_values_reach_the_verb() -> None:
    verb = read(["capture", "me.mp4", "--out", "somewhere", "--size", "256"])
    assert (verb.video, verb.folder, verb.size) == (Path("me.mp4"), Path("somewhere"), 256)


def test_default_folders_are_named_after_what_goes_in() -> None:
    assert read(["capture", "videos/me.mp4"]).folder == Path("captures/me")
    assert read(["train", "captures/me"]).folder == Path("avatars/me")
    assert read(["speak", "avatars/me", "sound/hello.wav"]).file == Path("hello.mp4")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trian"], "There is no verb 'trian'; did you mean train? See gaussiantalker --help."),
        (["xyzzy"], "There is no verb 'xyzzy'. See gaussiantalker --help."),
        (
            ["capture", "a.mp4", "--siz", "3"],
            "gaussiantalker capture has no option --siz; did you mean --size? See gaussiantalker capture --help.",
        ),
        (
            ["capture"],
            "Missing from gaussiantalker capture: FILE The video, with sound. (required) "
            "See gaussiantalker capture --help.",
        ),
        (
            ["capture", "a.mp4", "--size", "large"],
            "Error parsing --size: invalid literal for int() with base 10: 'large'. See gaussiantalker capture --help.",
        ),
        (["speak", "a", "b", "c"], "Unrecognized options: c. See gaussiantalker speak --help."),
    ],
)
def test_mistakes_are_answered_in_one_line(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err == sentence + "\n"
    assert captured.out == ""


class Failing:
    when_stopped = "Stopped; the same command goes on."

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def run(self, progress: object) -> str:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (GaussianTalkerError("There is no face in a.mp4."), 2, "There is no face in a.mp4."),
        (KeyboardInterrupt(), 130, "Stopped; the same command goes on."),
    ],
)
def test_errors_of_a_verb_become_one_sentence_and_a_code(
    error: BaseException, code: int, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gaussiantalker.cli.main.read", lambda arguments: Failing(error))
    assert main(["speak"]) == code
    assert capsys.readouterr().err == sentence + "\n"


def test_a_defect_is_one_sentence_and_a_traceback_with_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: object, progress: object) -> str:
        raise ZeroDivisionError("nothing there")

    monkeypatch.setattr("gaussiantalker.cli.doctor.Doctor.run", broken)
    assert main(["doctor"]) == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError: nothing there" in told and "--debug" in told and "Traceback" not in told
    with pytest.raises(ZeroDivisionError):
        main(["doctor", "--debug"])


def test_debug_shows_where_a_wrong_input_was_found() -> None:
    with pytest.raises(GaussianTalkerError):
        main(["--debug", "speak", "nowhere", "nothing.wav"])
