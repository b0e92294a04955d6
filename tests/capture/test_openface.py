"""OpenFace's table, as its builds write it."""

from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.capture.openface import read_columns
from gaussiantalker.errors import GaussianTalkerError


@pytest.mark.parametrize("name", ["AU45_r", " AU45_r", "  AU45_r "])
def test_columns_are_read_with_and_without_blanks(tmp_path: Path, name: str) -> None:
    (tmp_path / "au.csv").write_text(f"frame, AU01_r,{name}\n1, 9, 0.00\n2, 8, 1.00\n\n")
    assert read_columns(tmp_path / "au.csv", ["AU45_r", "AU01_r"]) == pytest.approx(np.array([[0, 9], [1, 8]]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("frame, AU01_r\n1, 2\n", "no column AU45_r"),
        ("frame, AU45_r\n", "no rows"),
        ("", "is empty"),
        ("frame, AU45_r\n1, high\n", "AU45_r has .high."),
        ("frame, AU45_r\n1, 0.0\n2\n3, 0.5\n", "line 3 has 1 of 2 values"),
        ("frame, AU45_r\n1, nan\n", "no number for AU45_r in row 1"),
        ("\x00\x01", "no column"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "au.csv").write_text(text)
    with pytest.raises(GaussianTalkerError, match=words):
        read_columns(tmp_path / "au.csv", ["AU45_r"])
