"""Phones and what the mouth does for them."""

from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.phones import Phone, closure, phones_of_frames, read_phones, recognised
from gaussiantalker.progress import SILENT, Silent
from gaussiantalker.speech import phones as speech_phones

WORDS = ["pau", "pau", "m", "aa", "aa", "b", "ae", "p", "ay", "ay", "m", "ao", "pau"]
OPENINGS = np.array([{"pau": 0.02, "m": 0.0, "b": 0.01, "p": 0.02}.get(word, 0.2) for word in WORDS])


def test_runs_of_a_name_are_one_phone() -> None:
    phones = phones_of_frames(np.array(WORDS))
    assert phones[:3] == [Phone("pau", 0, 2), Phone("m", 2, 3), Phone("aa", 3, 5)]
    assert phones[-1].stop == len(WORDS)


def test_a_table_of_seconds_becomes_frames(tmp_path: Path) -> None:
    table = tmp_path / "a_phones.csv"
    table.write_text("start,end,phone\n0.0,0.6,pau\n0.6,0.6311,DH\n0.6311,0.76,ih\n")
    assert read_phones(table) == [Phone("pau", 0, 15), Phone("dh", 15, 16), Phone("ih", 16, 19)]
    table.write_text("from,to\n1,2\n")
    with pytest.raises(GaussianTalkerError, match="columns start, end and phone"):
        read_phones(table)


def test_closure_of_a_mouth_that_shuts_and_of_one_that_does_not() -> None:
    phones = phones_of_frames(np.array(WORDS))
    shut, silent, n = closure(OPENINGS, phones)
    assert shut == pytest.approx(0.0075 / 0.2) and silent == pytest.approx(0.1) and n == 4
    assert closure(np.full(len(WORDS), 0.2), phones)[:2] == pytest.approx((1, 1))


def test_nothing_is_said_about_too_little() -> None:
    phones = phones_of_frames(np.array(WORDS))
    assert closure(OPENINGS, phones[:4]) is None
    assert closure(np.zeros(len(WORDS)), phones) is None
    assert closure(np.full(len(WORDS), np.nan), phones) is None
    assert closure(OPENINGS[:3], phones) is None


def test_phones_are_recognised_where_nobody_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = [
        speech_phones.Phone(0.0, 0.4, "SIL"),
        speech_phones.Phone(0.4, 0.5, "M"),
        speech_phones.Phone(0.5, 1, "AA"),
    ]
    monkeypatch.setattr("gaussiantalker.evaluation.phones.recognise", lambda audio, progress: heard)
    assert recognised(np.zeros(16_000), SILENT) == [Phone("sil", 0, 10), Phone("m", 10, 12), Phone("aa", 12, 25)]


def test_without_the_recogniser_the_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(audio: np.ndarray, progress: object) -> None:
        raise GaussianTalkerError("Phones need PocketSphinx")

    class Notes(Silent):
        def note(self, text: str) -> None:
            told.append(text)

    told: list[str] = []
    monkeypatch.setattr("gaussiantalker.evaluation.phones.recognise", missing)
    assert recognised(np.zeros(16_000), Notes()) == [] and "PocketSphinx" in told[0]
