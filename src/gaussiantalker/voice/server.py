"""A voice of any server that speaks OpenAI's /v1/audio/speech."""

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gaussiantalker.errors import GaussianTalkerError

ADDRESS, KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"  # the variables that OpenAI's own clients read
_OPENAI, _MODEL = "https://api.openai.com/v1", "gpt-4o-mini-tts"
_TIMEOUT_SECONDS = 30
_PIECE = 1 << 14  # bytes read at once at most


@dataclass(frozen=True)
class ServerVoice:
    """One voice of a server. It sends PCM16LE, mono, at 24 kHz, as it is made."""

    address: str
    model: str
    voice: str
    key: str | None = field(default=None, repr=False)
    rate: int = 24_000

    @classmethod
    def find(cls, name: str) -> "ServerVoice":
        """`VOICE` or `MODEL/VOICE` of the server that OPENAI_BASE_URL names, with the key in OPENAI_API_KEY.

        Raises GaussianTalkerError where neither is set, or the address is none of HTTP.
        """
        model, _, voice = name.rpartition("/")
        address, key = os.environ.get(ADDRESS), os.environ.get(KEY)
        if not (address or key) or not voice:
            raise GaussianTalkerError(
                f"A server's voice is server:VOICE or server:MODEL/VOICE, with the server's address in {ADDRESS}, as "
                f"http://127.0.0.1:8000/v1, and its key, if it wants one, in {KEY}."
            )
        address = (address or _OPENAI).rstrip("/")
        if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
            raise GaussianTalkerError(f"{ADDRESS} must be an address of HTTP, as {_OPENAI}: it is {address}.")
        return cls(address, model or _MODEL, voice, key)

    def say(self, text: str) -> Iterator[np.ndarray]:
        """Speech float32 [S] as it comes. Raises GaussianTalkerError with what the server says is wrong."""
        asked = {"model": self.model, "voice": self.voice, "input": text, "response_format": "pcm"}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/audio/speech", json.dumps(asked).encode(), headers)
        if self.key:
            request.add_unredirected_header("Authorization", f"Bearer {self.key}")  # for nobody that it points to
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                yield from _samples(answer)
        except urllib.error.HTTPError as error:
            with error:
                why = f"HTTP {error.code}: {_reason(error.read(_PIECE)) or error.reason}"
            raise GaussianTalkerError(f"{self.address} refuses to speak ({why}).") from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)
            raise GaussianTalkerError(
                f"{self.address} does not speak ({why}): check {ADDRESS}, and that the server runs."
            ) from None


def _reason(body: bytes) -> str:
    """What OpenAI's servers, and most that are like them, say is wrong; nothing where it is said otherwise."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return ""


def _samples(answer: http.client.HTTPResponse) -> Iterator[np.ndarray]:
    """Of PCM16LE whose pieces may end within a sample."""
    rest = b""
    while piece := answer.read1(_PIECE):
        piece = rest + piece
        whole = len(piece) // 2 * 2
        rest = piece[whole:]
        if whole:
            yield np.frombuffer(piece[:whole], "<i2").astype(np.float32) / 32768
