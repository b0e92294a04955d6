"""An avatar goes to a hub and comes back; a stand-in on loopback keeps what the real one would."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from dotted_avatar import save_dots

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export.hub import push
from gaussiantalker.media.files import write_json
from gaussiantalker.progress import SILENT
from gaussiantalker.speaking.hub import FILES, local_folder

COMMIT = "c" * 40


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub's HTTP interface as pushing and fetching take, for one repository."""

    protocol_version = "HTTP/1.1"
    files: dict[str, bytes] = {}
    made: list[dict] = []

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/api/repos/create":
            self.made.append(json.loads(body) | {"token": self.headers["Authorization"]})
            return self._json({"url": self._url("me/dots")})
        if self.path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if self.path.endswith("/preupload/main"):
            wanted = json.loads(body)["files"]
            found = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in wanted]
            return self._json({"files": found})
        if self.path.endswith("/commit/main"):
            for line in (json.loads(line) for line in body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return self._json({"commitUrl": self._url("me/dots"), "commitOid": COMMIT, "success": True})
        return self.send_error(404)

    def do_GET(self) -> None:
        if re.fullmatch(r"/api/models/me/dots(/revision/main)?(\?.*)?", self.path) and self.files:
            siblings = [{"rfilename": name} for name in self.files]
            return self._json({"id": "me/dots", "sha": COMMIT, "siblings": siblings, "private": True, "tags": []})
        if re.match(r"/api/models/me/dots/tree/", self.path):
            return self._json(
                [{"type": "file", "path": n, "size": len(c), "oid": _tag(c)} for n, c in self.files.items()]
            )
        if found := re.fullmatch(r"/me/dots/resolve/\w+/(.+)", self.path.partition("?")[0]):
            content = self.files[found[1]]
            return self._answer(200, content, {"ETag": f'"{_tag(content)}"', "X-Repo-Commit": COMMIT})
        return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})

    do_HEAD = do_GET

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _url(self, name: str) -> str:
        return f"http://{self.headers['Host']}/{name}"

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _tag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.files.clear()
    Hub.made.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


FACTS = {
    "training": {"steps": 10, "seconds": 60.0},
    "recipe": {"schedule": {"name": "fast"}},
    "consent": "Anna, by letter",
}


def test_an_avatar_goes_there_and_comes_back(hub: str, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    folder = save_dots(tmp_path / "dots", **FACTS)
    entry = {"label": "PSNR, head", "value": 31.25, "unit": "dB"}
    write_json(folder / "evaluation.json", {"metrics": {"psnr_head": entry, "fid": entry | {"value": None}}})
    (folder / "secret.txt").write_text("not part of an avatar")
    code = """if True:
        import sys
        from gaussiantalker.cli.main import main
        from gaussiantalker.speaking import Avatar
        assert main(["push", "dots", "me/dots"]) == 0
        assert Avatar.load("me/dots", exact=True).digest == Avatar.load("dots", exact=True).digest
        sys.exit(main(["speak", "nobody/there", "a.wav"]))
    """
    environment = os.environ | {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_sesame"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 2, done.stderr
    assert f"Pushed: {hub}/me/dots" in done.stdout
    assert "neither a folder nobody/there here nor such an avatar on the hub" in done.stderr
    assert set(Hub.files) == {name for name in FILES if (folder / name).exists()} | {"README.md"}
    assert Hub.files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    (made,) = Hub.made
    assert "private" in (made.get("visibility"), made.get("private") and "private")  # of either of its versions
    assert made["token"] == "Bearer hf_sesame"
    card = Hub.files["README.md"].decode()
    for words in ("synthetic", "Anna, by letter", "GaussianTalker*", "PSNR, head | 31.2 dB", 'load("me/dots")'):
        assert words in card
    assert "None" not in card


def test_what_must_not_or_cannot_be_pushed(tmp_path: Path) -> None:
    folder = save_dots(tmp_path / "dots", **FACTS | {"consent": "not recorded"})
    with pytest.raises(GaussianTalkerError, match="No consent is recorded for this avatar"):
        push(folder, "me/dots", public=True)
    with pytest.raises(GaussianTalkerError, match="give OWNER/NAME"):
        push(folder, "dots")
    with pytest.raises(GaussianTalkerError, match="not an avatar"):
        push(tmp_path, "me/dots")


@pytest.mark.parametrize("name", ["dots", "here/none", "/a/b", "../a/b", "a/b/c"])
def test_the_hub_is_asked_for_nothing_that_may_be_a_folder(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    assert local_folder(name, SILENT) == Path(name)
