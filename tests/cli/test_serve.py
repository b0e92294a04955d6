"""The verb `serve` meets what is missing or wrong with one sentence."""

import socket
import sys
from pathlib import Path

import pytest

from gaussiantalker.cli.main import main
from gaussiantalker.serving import avatars, server


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence with which a command line is refused."""
    assert main(line.split()) == 2
    return capsys.readouterr().err


def test_others_are_not_let_in_without_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--token" in refused("serve avatar --host 0.0.0.0", capsys)


def test_an_empty_token_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "avatar", "--token", ""]) == 2
    assert "empty" in capsys.readouterr().err
    (tmp_path / "token").write_text("\n")
    assert "empty" in refused(f"serve avatar --token-file {tmp_path / 'token'}", capsys)
    assert "cannot be read" in refused(f"serve avatar --token-file {tmp_path / 'none'}", capsys)
    monkeypatch.setenv("GAUSSIANTALKER_TOKEN", "")
    assert "empty" in refused("serve avatar", capsys)


def test_the_token_comes_from_the_option_the_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = []
    monkeypatch.setattr(server, "serve", lambda *arguments, **_: given.append(arguments[3]))
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("GAUSSIANTALKER_TOKEN", "from-environment")
    for options in ("", f"--token-file {tmp_path / 'token'}", "--token from-option"):
        assert main(f"serve avatar {options}".split()) == 0
    monkeypatch.delenv("GAUSSIANTALKER_TOKEN")
    assert main(["serve", "avatar"]) == 0
    assert given == ["from-environment", "from-file", "from-option", None]


def test_a_server_without_avatars_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "at least one avatar" in refused("serve --port 0", capsys)


def test_what_a_terminal_would_obey_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(avatars, "_warmed", lambda *_: None)
    monkeypatch.setattr(server._Server, "run", lambda self, sockets: None)
    monkeypatch.setattr(server.log, "set_up", lambda: None)
    evil = "\x1b]0;owned\x07\x9b31m"
    assert main(["serve", f"{tmp_path}/{evil}", "--port", "0"]) == 0
    assert "\x1b" not in (told := capsys.readouterr().err) and "\x9b" not in told and r"\x1b]0;owned\x07" in told
    assert main(["train", f"{tmp_path}/{evil}", "--out", str(tmp_path / "avatar")]) == 2
    assert "\x1b" not in (told := capsys.readouterr().err) and r"\x1b" in told


def test_a_folder_that_is_no_avatar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not an avatar" in refused(f"serve {tmp_path}", capsys)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module in [name for name in sys.modules if name.startswith("gaussiantalker.serving")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    told = refused("serve avatar", capsys)
    assert "uvicorn" in told and "pip install 'gaussiantalker[serve]'" in told


def test_two_avatars_of_one_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(avatars, "_warmed", lambda *_: None)
    assert "called avatar" in refused("serve a/avatar b/avatar", capsys)


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(avatars, "_warmed", lambda *_: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "--port" in refused(f"serve avatar --port {taken.getsockname()[1]}", capsys)
