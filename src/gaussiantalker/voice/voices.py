"""What a voice is, and which there are."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress

VOICES = ("heart", "bella", "michael", "fenrir")
"""Those of the local model, which speak American English."""
_SERVER = "server:"


class Voice(Protocol):
    """Speaks texts, one at a time."""

    @property
    def rate(self) -> int:
        """Samples a second."""
        ...

    def say(self, text: str) -> Iterator[np.ndarray]:
        """Speech float32 [S] in [-1, 1], each piece as soon as it is made.

        Raises GaussianTalkerError where the text cannot be spoken.
        """
        ...


def find_voice(name: str, progress: Progress = SILENT) -> Voice:
    """The local voice of this name, or `server:VOICE` and `server:MODEL/VOICE`, a server's (see `voice.server`).

    Raises GaussianTalkerError where there is none, or what it needs is not at hand.
    """
    if name.startswith(_SERVER):
        from gaussiantalker.voice.server import ServerVoice

        return ServerVoice.find(name.removeprefix(_SERVER))
    if name not in VOICES:
        raise GaussianTalkerError(f"There is no voice {name!r}: choose one of {', '.join(VOICES)}, or {_SERVER}VOICE.")
    from gaussiantalker.voice.kokoro import Kokoro

    return Kokoro.load(name, progress)
