"""Phones and what the mouth does for them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.phones import (
    Closures,
    PhoneFrames,
    Transcript,
    closure,
    closures,
    phones_of_frames,
    read_phones,
    recognised,
)
from gaussiantalker.progress import SILENT, Silent
from gaussiantalker.speech import phones as speech_phones

WORDS = ["pau", "pau", "m", "aa", "aa", "b", "ae", "p", "ay", "ay", "m", "ao", "pau"]
OPENINGS = np.array([{"pau": 0.02, "m": 0.0, "b": 0.01, "p": 0.02}.get(word, 0.2) for word in WORDS])


def test_runs_of_a_name_are_one_phone() -> None:
    phones = phones_of_frames(np.array(WORDS))
    assert phones[:3] == [PhoneFrames("pau", 0, 2), PhoneFrames("m", 2, 3), PhoneFrames("aa", 3, 5)]
    assert phones[-1].stop == len(WORDS)


def test_a_table_of_seconds_becomes_frames(tmp_path: Path) -> None:
    table = tmp_path / "a_phones.csv"
    table.write_text("start,end,phone\n0.0,0.6,pau\n0.6,0.6311,DH\n0.6311,0.76,ih\n")
    assert read_phones(table) == [PhoneFrames("pau", 0, 15), PhoneFrames("dh", 15, 16), PhoneFrames("ih", 16, 19)]
    head = "start,end,phone\n"
    for wrong in ("from,to\n1,2\n", f"{head}0.0,0.6\n", f"{head}nan,1,aa\n", f"{head}0,inf,aa\n", f"{head}2,1,aa\n"):
        table.write_text(wrong)
        with pytest.raises(GaussianTalkerError, match="columns start, end"):
            read_phones(table)


def test_a_pause_of_several_rows_is_one(tmp_path: Path) -> None:
    """Also where a row is shorter than a frame, which is nobody's frame then; phones that follow each other stay."""
    table = tmp_path / "phones.csv"
    table.write_text(
        "start,end,phone\n0,0.12,m\n0.12,0.2,m\n0.2,0.44,pau\n0.44,0.4406,sil\n0.4406,0.6,aa\n0.7,0.9,pau\n"
    )
    found = [PhoneFrames("m", 0, 3), PhoneFrames("m", 3, 5), PhoneFrames("sil", 5, 11), PhoneFrames("aa", 11, 15)]
    assert read_phones(table) == [*found, PhoneFrames("pau", 18, 22)]


@pytest.mark.parametrize(("name", "read"), [("AA1", "aa"), ("sil", "sil"), ("", ""), ("ax", "ax"), ("UW0", "uw")])
def test_stress_is_left_out(tmp_path: Path, name: str, read: str) -> None:
    (tmp_path / "a.csv").write_text(f"start,end,phone\n0.0,0.6,{name}\n")
    assert [phone.name for phone in read_phones(tmp_path / "a.csv")] == [read]


@pytest.mark.parametrize("name", ["nan", "inf", "text", "ʃ", "3"])
def test_names_that_are_no_phones_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"start,end,phone\n0.0,0.6,aa\n0.6,0.7,{name}\n", encoding="utf-8")
    with pytest.raises(GaussianTalkerError, match="names a phone"):
        read_phones(tmp_path / "a.csv")


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


SENTENCE = np.array([*"aa aa b b ae ae m m ay ay p p ao ao t t pau pau pau pau".split()])
TRUTH = np.array([{"pau": 0.02, "t": 0.1}.get(phone, 0.0 if phone in "bmp" else 0.5) for phone in SENTENCE])


def closures_of(opening: np.ndarray, reference: np.ndarray | None = TRUTH < 0.1) -> Closures:
    return closures(opening, phones_of_frames(SENTENCE), 0.5, reference)


def test_a_mouth_that_shuts_where_it_should_and_one_that_never_does() -> None:
    assert closures_of(TRUTH) == (1, 1, 1, 1, 3, 16)
    f1, recall, precision, auc, events, _ = closures_of(np.full(len(TRUTH), 0.5))
    assert (f1, recall, precision, auc, events) == (0, 0, 0, 0.5, 3)
    assert closures_of(0.3 + 0.4 * TRUTH).auc == 1, "the AUC asks for no threshold"
    assert closures_of(0.3 + 0.4 * TRUTH).recall == 0


def test_what_is_shut_out_of_place_is_a_false_alarm_once() -> None:
    late = np.concatenate([TRUTH[:1], TRUTH[:-1]])
    assert closures_of(late)[:3] == (1, 1, 1), "a frame to either side is near enough"
    wrong = TRUTH.copy()
    wrong[[0, 13, 16, 17]] = 0  # in two vowels, and in a pause
    wrong[5] = 0  # in a vowel, but beside m
    assert closures_of(wrong).precision == pytest.approx(3 / 5) and closures_of(wrong).recall == 1


def test_without_a_reference_the_phones_are_one() -> None:
    half = TRUTH.copy()
    half[2:4] = 0.2  # b
    assert closures_of(half, None).recall == pytest.approx(2 / 3)
    assert closures_of(half, half < 0.1) is None, "two events are too few"
    assert closures_of(TRUTH, np.ones(len(TRUTH), bool)).auc != closures_of(TRUTH).auc
    assert closures(TRUTH, phones_of_frames(SENTENCE), float("nan")) is None


def test_frames_without_a_face_are_neither_open_nor_shut() -> None:
    gone = TRUTH.copy()
    gone[2:4] = np.nan
    assert closures_of(gone).recall == pytest.approx(2 / 3) and closures_of(gone).frames == 14


@given(arrays(float, len(TRUTH), elements=st.sampled_from([0.0, 0.1, 0.2, 0.5])))
def test_the_area_is_the_share_of_pairs_in_order(opening: np.ndarray) -> None:
    """Shut frames of speech against the others, a tie counting half."""
    spoken, shut = SENTENCE != "pau", TRUTH < 0.1
    pairs = [(a < b) + (a == b) / 2 for a in opening[spoken & shut] for b in opening[spoken & ~shut]]
    assert closures_of(opening).auc == pytest.approx(np.mean(pairs))


def test_phones_are_recognised_where_nobody_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = [
        speech_phones.Phone(0.0, 0.4, "SIL"),
        speech_phones.Phone(0.4, 0.5, "M"),
        speech_phones.Phone(0.5, 1, "AA"),
    ]
    monkeypatch.setattr("gaussiantalker.evaluation.phones.recognise", lambda audio, progress: heard)
    found = recognised(np.zeros(16_000), SILENT)
    assert (
        found.phones == [PhoneFrames("sil", 0, 10), PhoneFrames("m", 10, 12), PhoneFrames("aa", 12, 25)]
        and found.guessed
    )


def test_without_the_recogniser_the_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(audio: np.ndarray, progress: object) -> None:
        raise GaussianTalkerError("Phones need PocketSphinx")

    class Notes(Silent):
        def note(self, text: str) -> None:
            told.append(text)

    told: list[str] = []
    monkeypatch.setattr("gaussiantalker.evaluation.phones.recognise", missing)
    assert recognised(np.zeros(16_000), Notes()) == Transcript([], "") and "PocketSphinx" in told[0]
