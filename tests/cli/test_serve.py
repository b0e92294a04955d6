"""The verb `serve` meets what is missing or wrong with one sentence."""

import socket
import sys
from pathlib import Path

import pytest

from gaussiantalker.cli.main import main
from gaussiantalker.serving import server


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence with which a command line is refused."""
    assert main(line.split()) == 2
    return capsys.readouterr().err


def test_others_are_not_let_in_without_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--token" in refused("serve avatar --host 0.0.0.0", capsys)


def test_a_folder_that_is_no_avatar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not an avatar" in refused(f"serve {tmp_path}", capsys)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module in [name for name in sys.modules if name.startswith("gaussiantalker.serving")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    told = refused("serve avatar", capsys)
    assert "uvicorn" in told and "pip install 'gaussiantalker[serve]'" in told


def test_two_avatars_of_one_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(server, "_warmed", lambda *_: None)
    assert "called avatar" in refused("serve a/avatar b/avatar", capsys)


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(server, "_warmed", lambda *_: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "--port" in refused(f"serve avatar --port {taken.getsockname()[1]}", capsys)
