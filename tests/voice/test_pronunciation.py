"""Texts become words, and words become the symbols that the voice reads."""

import pytest

from gaussiantalker.voice.kokoro import SYMBOLS
from gaussiantalker.voice.numerals import written_out
from gaussiantalker.voice.pronunciation import Pronunciation


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "7, 21 and 1,234,567",
            "seven twenty-one one million two hundred thirty-four thousand five hundred sixty-seven",
        ),
        ("the 1st, 2nd, 12th, 21st and 30th", "first second twelfth twenty-first thirtieth"),
        ("in 1984, 1900, 2005 and 2026", "nineteen eighty-four nineteen hundred two thousand five twenty twenty-six"),
        ("at 10:05, 7:00 and 23:59", "ten oh five seven o'clock twenty-three fifty-nine"),
        (
            "$3.50, $1, £2.05 and €3 million",
            "three dollars and fifty cents one dollar two pounds and five pence three million euros",
        ),
        ("-5°, 3.14 and 50%", "minus five degrees three point one four fifty percent"),
        ("007 and 12345678901234567", "zero zero seven one two three four five six seven eight nine zero one two"),
        ("Dr. Ng met Mrs. Li, e.g. at a café & bar", "doctor ng met missus li for example at a cafe and bar"),
    ],
)
def test_numbers_and_signs_are_written_out(text: str, words: str) -> None:
    said = written_out(text).lower()
    assert not any(c.isdigit() or c in "$£€%&°" for c in said)
    at = 0
    for word in words.split():
        at = said.find(word, at)
        assert at >= 0, f"{word} is missing in {said}"
        at += len(word)


@pytest.fixture
def pronunciation() -> Pronunciation:
    by_hand = {"apple": "ˈæpᵊl", "tree": "tɹˈi", "walk": "wˈɔk", "rate": "ɹˈAt", "box": "bˈɑks", "party": "pˈɑɹɾi"}
    by_hand |= {"read": {"DEFAULT": "ɹˈid", "VBD": "ɹˈɛd"}, "stop": "stˈɑp", "Paul": "pˈɔl", "B": "bˈi", "X": "ˈɛks"}
    return Pronunciation((by_hand, {"apple": "wrong", "lip": "lˈɪp", "sync": "sˈɪŋk"}))


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("The apple, the tree.", "ði ˈæpᵊl, ðə tɹˈi."),
        ("a tree to apple; to tree", "ɐ tɹˈi tʊ ˈæpᵊl; tə tɹˈi"),
        ("READ", "ɹˈid"),
        ("walks walked walking boxes parties", "wˈɔks wˈɔkt wˈɔkɪŋ bˈɑksᵻz pˈɑɹɾiz"),
        ("rated stopping stopped Paul's", "ɹˈAtᵻd stˈɑpɪŋ stˈɑpt pˈɔlz"),
        ("LipSync lipsync", "lˈɪpsˈɪŋk lˈɪpsˌɪŋk"),
        ("XB", "ˈɛksbˈi"),
    ],
)
def test_words_are_pronounced(pronunciation: Pronunciation, text: str, symbols: str) -> None:
    assert pronunciation.of(text) == symbols


@pytest.mark.parametrize("word", ["blorgify", "Zhuang", "naïveté", "rhythm's", "Szczęsny", "qqq", "o'", "eeee"])
def test_any_word_can_be_said(pronunciation: Pronunciation, word: str) -> None:
    assert set(pronunciation.of(f"{word}.")) <= set(SYMBOLS)


@pytest.mark.parametrize("text", ["", "…", "?!", "你好", "🙂"])
def test_what_holds_no_words_says_none(pronunciation: Pronunciation, text: str) -> None:
    assert not any(c.isalpha() for c in pronunciation.of(text))
