"""The local voice: what it says is understood by a recogniser that is not ours, and its first words come first."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.voice import find_voice
from gaussiantalker.voice.kokoro import PARTS, RATE, Kokoro, _pieces
from gaussiantalker.voice.pronunciation import Pronunciation
from gaussiantalker.voice.voices import VOICES


@given(st.lists(st.sampled_from(["one", "two,", "three.", "four", "five;", "(six)", "“seven?”", "3.14"]), max_size=60))
def test_pieces_are_the_text_and_grow_no_faster_than_they_are_heard(words: list[str]) -> None:
    found = list(_pieces(" ".join(words)))
    assert " ".join(found).split() == words
    most = 4
    for piece in found:
        assert 0 < len(piece.split()) <= most
        most = min(2 * most, 32)


def test_pieces_end_where_speech_pauses() -> None:
    found = list(_pieces("Hello there, my name is Anna. I like apples, and pears, of which I have some."))
    assert found == ["Hello there,", "my name is Anna. I like apples,", "and pears, of which I have some."]


def stand_in() -> Kokoro:
    """A model that gives 0.1 s of tone for each symbol, between 0.4 s of quiet."""

    def run(_: None, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert given["style"].shape == (1, 256)
        tone = 0.5 * np.sin(np.arange(len(given["tokens"][0]) * RATE // 10) / 10)
        return [np.pad(tone, 4 * RATE // 10).astype(np.float32)]

    words = {"hello": "həlˈO", "again": "əɡˈɛn"}
    return Kokoro(SimpleNamespace(run=run), np.zeros((510, 256), np.float32), Pronunciation((words,)))


def test_quiet_is_as_long_as_a_speaker_leaves_it() -> None:
    (middle, end) = stand_in().say("again again hello again hello.")
    quiet = [len(piece) - np.flatnonzero(np.abs(piece) > 0.01)[-1] for piece in (middle, end)]
    assert quiet == pytest.approx([0.03 * RATE, 0.25 * RATE], abs=2)


def test_a_text_without_words_is_one_sentence() -> None:
    with pytest.raises(GaussianTalkerError, match="no words"):
        list(stand_in().say("… 🙂"))
    with pytest.raises(GaussianTalkerError, match="choose one of heart"):
        find_voice("nobody")


@pytest.mark.parametrize("name", [VOICES[0], VOICES[2]])
def test_a_recogniser_understands_it(name: str, model) -> None:
    pytest.importorskip("onnxruntime", reason="the extra voice is not installed")
    sphinx = pytest.importorskip("pocketsphinx")
    for needed in (*(f"kokoro-{k}" for k in range(1, PARTS + 1)), f"kokoro-{name}", "english-gold", "english-silver"):
        model(needed)
    text = "I was made from a few minutes of video, and I can say whatever you type."
    voice = find_voice(name)
    sound = np.concatenate(list(voice.say(text)))
    assert voice.rate == RATE and np.abs(sound).max() <= 1
    decoder = sphinx.Decoder(samprate=16_000, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw((soxr.resample(sound, RATE, 16_000) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    understood, said = decoder.hyp().hypstr.split(), re.findall(r"[a-z]+", text.lower())
    assert len(set(said) & set(understood)) >= 0.75 * len(set(said)), understood
