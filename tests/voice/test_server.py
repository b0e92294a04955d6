"""A server's voice: heard while it still speaks, its key told to nobody else, its refusals in a sentence."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.voice import find_voice


class Speaker(BaseHTTPRequestHandler):
    """Speaks as OpenAI's server does: PCM of as many samples as the text has letters, in two pieces."""

    asked: list[tuple[dict, dict]] = []
    heard = threading.Event()  # the first piece

    def do_POST(self) -> int | None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((asked, dict(self.headers)))
        if asked["voice"] == "nobody":
            self.send_response(404)
            self.end_headers()
            return self.wfile.write(b'{"error": {"message": "There is no voice nobody."}}')
        if asked["voice"] == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "/v1/audio/other")
            return self.end_headers()
        self.send_response(200)
        self.end_headers()
        pcm = np.arange(1, 1 + len(asked["input"]), dtype="<i2").tobytes()
        self.wfile.write(pcm[:5])  # ends within a sample
        self.wfile.flush()
        assert self.heard.wait(60)
        self.wfile.write(pcm[5:])
        return None

    def do_GET(self) -> None:
        self.asked.append(({}, dict(self.headers)))
        self.send_error(410)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Speaker]]:
    Speaker.asked.clear()
    Speaker.heard.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Speaker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1/")
        monkeypatch.setenv("OPENAI_API_KEY", "sesame")
        yield Speaker
        server.shutdown()
        thread.join()


def test_the_first_words_are_heard_before_the_last_are_made(server: type[Speaker]) -> None:
    voice = find_voice("server:tts-1/alloy")
    pieces = voice.say("Hello you")
    first = next(pieces)
    server.heard.set()
    sound = np.concatenate([first, *pieces])
    np.testing.assert_allclose(sound * 32768, np.arange(1, 10))
    ((asked, headers),) = server.asked
    assert asked == {"model": "tts-1", "voice": "alloy", "input": "Hello you", "response_format": "pcm"}
    assert headers["Authorization"] == "Bearer sesame" and voice.rate == 24_000
    assert "sesame" not in repr(voice)


def test_the_key_is_told_to_no_other_address(server: type[Speaker]) -> None:
    with pytest.raises(GaussianTalkerError, match="410"):
        list(find_voice("server:elsewhere").say("Hello"))
    assert ["Authorization" in headers for _, headers in server.asked] == [True, False]


def test_refusals_are_a_sentence(server: type[Speaker], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GaussianTalkerError, match=r"refuses to speak \(HTTP 404: .*There is no voice nobody"):
        list(find_voice("server:nobody").say("Hello"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    with pytest.raises(GaussianTalkerError, match="does not speak"):
        list(find_voice("server:alloy").say("Hello"))
    monkeypatch.setenv("OPENAI_BASE_URL", "file:///etc")
    with pytest.raises(GaussianTalkerError, match="an address of HTTP"):
        find_voice("server:alloy")
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(GaussianTalkerError, match="OPENAI_BASE_URL"):
        find_voice("server:alloy")
