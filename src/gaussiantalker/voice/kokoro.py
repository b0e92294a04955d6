"""Kokoro-82M, a text-to-speech model (hexgrad, 2025, after StyleTTS 2), as int8 in ONNX Runtime on the CPU."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gaussiantalker import hardware, pretrained
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.voice.pronunciation import Pronunciation

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

RATE = 24_000
PARTS = 4  # of the model's file, each in a package of its own
_FIRST_WORDS = 4  # of the first piece: the fewer, the sooner something is heard
_MOST_WORDS = 32
_LONGEST = 510  # symbols that the model takes at once
_QUIET = 0.01  # of full scale
_BEFORE, _WITHIN, _AFTER = 0.03, 0.03, 0.25  # seconds of quiet kept before a piece, between words, after a clause
# The model's numbers of its symbols, as runs that begin with a number; it knows more, which English does not need.
_RUNS = {1: ";:,.!?", 9: "—…", 16: " ", 24: "AI", 31: "O", 33: "Q", 35: "ST", 39: "W", 41: "Yᵊa", 44: "bcdef"}
_RUNS |= {50: "hijklmnopqrstuvwxyz", 69: "ɑɐɒæ", 76: "ɔ", 81: "ðʤə", 85: "ɚɛɜ", 92: "ɡ", 102: "ɪ", 112: "ŋ", 119: "θ"}
_RUNS |= {123: "ɹ", 125: "ɾ", 131: "ʃ", 133: "ʧ", 135: "ʊ", 138: "ʌ", 147: "ʒʔ", 156: "ˈˌː", 177: "ᵻ"}
SYMBOLS = {symbol: first + k for first, run in _RUNS.items() for k, symbol in enumerate(run)}


@dataclass(frozen=True)
class Kokoro:
    """One of the model's voices. Speech takes about half as long to make as to say, on one core."""

    session: "InferenceSession"
    style: np.ndarray  # float32 [510, 256], one for each number of symbols
    pronunciation: Pronunciation
    rate: int = RATE

    @classmethod
    def load(cls, name: str, progress: Progress = SILENT) -> "Kokoro":
        """Raises GaussianTalkerError where ONNX Runtime is not installed, or the model cannot be fetched."""
        try:
            import onnxruntime
        except ImportError:
            raise GaussianTalkerError(
                "The local voice needs ONNX Runtime: pip install 'gaussiantalker[voice]'."
            ) from None
        model = b"".join(pretrained.path(f"kokoro-{k}", progress).read_bytes() for k in range(1, PARTS + 1))
        style = np.fromfile(pretrained.path(f"kokoro-{name}", progress), np.float32).reshape(-1, 256)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = hardware.WORKERS
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # pictures are made beside it
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return cls(session, style, Pronunciation.load(progress))

    def say(self, text: str) -> Iterator[np.ndarray]:
        """Speech float32 [S], a few words first and then ever more. Raises GaussianTalkerError where nothing in the
        text can be spoken."""
        spoken = False
        for piece in _pieces(text):
            symbols = self.pronunciation.of(piece)
            if any(symbol.isalpha() for symbol in symbols):
                spoken = True
                yield _trimmed(self._made(symbols), piece)
        if not spoken:
            raise GaussianTalkerError("There is nothing in this text that can be spoken: it holds no words.")

    def _made(self, symbols: str) -> np.ndarray:
        numbers = [SYMBOLS[symbol] for symbol in symbols if symbol in SYMBOLS][:_LONGEST]
        style = self.style[len(numbers) - 1 : len(numbers)]
        given = {"tokens": np.array([[0, *numbers, 0]]), "style": style, "speed": np.ones(1, np.float32)}
        (sound,) = self.session.run(None, given)
        return np.clip(sound.reshape(-1), -1, 1)


def _pieces(text: str) -> Iterator[str]:
    """The text cut at its pauses, or after so many words as fit; a piece may have twice as many as the one before,
    since it is made while that is heard."""
    most, piece = _FIRST_WORDS, []
    for clause in re.findall(r"\S(?:.*?[.!?;:,—…][\"')\]]*(?=\s|$)|.*$)", " ".join(text.split())):
        words = clause.split(" ")
        while words:
            if piece and len(piece) + len(words) > most:
                yield " ".join(piece)
                most, piece = min(2 * most, _MOST_WORDS), []
                continue
            piece, words = piece + words[:most], words[most:]
    if piece:
        yield " ".join(piece)


def _trimmed(sound: np.ndarray, piece: str) -> np.ndarray:
    """With as much quiet before and after as a speaker leaves there; the model leaves a third of a second."""
    loud = np.flatnonzero(np.abs(sound) > _QUIET)
    if not len(loud):
        return sound[:0]
    pause = _AFTER if piece.rstrip("\"')]").endswith((".", "!", "?", ";", ":", ",", "—", "…")) else _WITHIN
    begin, end = loud[0] - round(_BEFORE * RATE), loud[-1] + round(pause * RATE)
    return sound[max(begin, 0) : end]
