"""Mouths by numbers instead of by sound."""

from pathlib import Path

import numpy as np
import pytest
from hearing import NAMES, a_listener, a_mouth_listener, noise

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speaking.mouths import dubbed, held


def test_a_table_moves_the_mouth_whatever_is_said(tmp_path: Path) -> None:
    """Scores that are given are shown, others go along, and after the last the mouth rests; for any division."""
    (tmp_path / "mouth.csv").write_text("jawOpen,lip_opening\n0.02,0.02\n0.12,0.02\n0.22,0.12\n")
    track = dubbed(a_mouth_listener(), tmp_path / "mouth.csv")
    heard = track.hear(noise(0.21))
    assert heard.shape == (6, len(NAMES)) and not heard[0].any() and not heard[3:].any()
    np.testing.assert_allclose(heard[1:3, :2], [[0, 1], [1, 2]], atol=1e-6)
    assert (heard[2, 2:] > 0).all()
    stream = track.stream()
    pieces = [stream.push(noise(0.03)), stream.push(noise(0.18)), stream.finish()]
    np.testing.assert_array_equal(np.concatenate(pieces), heard)


def test_arrays_are_read_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "mouth.npz", jawOpen=[0.02, 0.12], browInnerUp=[1, 1])
    np.testing.assert_allclose(dubbed(a_mouth_listener(), tmp_path / "mouth.npz").codes[:, 1], [0, 1], atol=1e-6)


@pytest.mark.parametrize("other", [[0.1], [[0.1], [0.2]]])
def test_arrays_of_other_lengths_are_one_sentence(tmp_path: Path, other: list) -> None:
    np.savez(tmp_path / "mouth.npz", jawOpen=[0.02, 0.12], lip_opening=other)
    with pytest.raises(GaussianTalkerError, match="not a table"):
        dubbed(a_mouth_listener(), tmp_path / "mouth.npz")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("none.csv", None, "does not exist"),
        ("words.csv", "jawOpen\nwide\n", "not a table"),
        ("ragged.csv", "jawOpen,lip_opening\n0.1\n", "not a table"),
        ("empty.csv", "jawOpen\n", "not finite"),
        ("nan.csv", "jawOpen\nnan\n", "not finite"),
        ("brows.csv", "browInnerUp\n0.1\n", "give some of lip_opening"),
        ("broken.npz", "x", "not a table|damaged"),
    ],
)
def test_what_is_no_mouth_is_one_sentence(tmp_path: Path, name: str, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(GaussianTalkerError, match=sentence):
        dubbed(a_mouth_listener(), tmp_path / name)


def test_a_mouth_that_is_held(tmp_path: Path) -> None:
    """The same as a table's, whatever else is named; a name that is no score's is refused, and so is no number."""
    listener = a_mouth_listener()
    (tmp_path / "one.csv").write_text("jawOpen,lip_opening\n0.12,0.22\n")
    given = {"jawOpen": 0.12, "lip_opening": 0.22, "eyeBlinkLeft": 1.0}
    np.testing.assert_array_equal(held(listener, given), dubbed(listener, tmp_path / "one.csv").codes[0])
    for wrong, sentence in (
        ({"jawOpne": 0.1}, "no score 'jawOpne'"),
        ({"eyeBlinkLeft": 0.1}, "give some of lip_opening"),
        ({"jawOpen": np.nan}, "not finite"),
    ):
        with pytest.raises(GaussianTalkerError, match=sentence):
            held(listener, wrong)
    with pytest.raises(GaussianTalkerError, match="no mouth code"):
        held(a_listener("gaussiantalker"), {"jawOpen": 0.1})


def test_an_avatar_of_the_papers_hearing_has_no_code(tmp_path: Path) -> None:
    with pytest.raises(GaussianTalkerError, match="no mouth code"):
        dubbed(a_listener("gaussiantalker"), tmp_path)
