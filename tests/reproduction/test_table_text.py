"""Cells, differences and their marks."""

from statistics import stdev

import pytest

from gaussiantalker.reproduction.papers import Row, Table
from gaussiantalker.reproduction.table_text import _noise, _signed, markdown

TABLE = Table(
    "x",
    "stand-in",
    ("PSNR", "LMD"),
    (
        Row("bad", {"PSNR": 30.0, "LMD": 3.0}, "any"),
        Row("elsewhere", {"PSNR": 36.0}, "any", elsewhere=True),
        Row("paper only", {"PSNR": 25.0}),
        Row("good", {"PSNR": 32.0, "LMD": 2.5}, "any"),
    ),
    "good",
)


def result(bad: list[float], good: list[float], lmd: tuple[list[float], list[float]]) -> dict:
    here = {
        "bad": {"PSNR": bad, "LMD": lmd[0], "our sync, r": [0.5] * len(bad)},
        "elsewhere": {"PSNR": good},
        "paper only": {},
        "good": {"PSNR": good, "LMD": lmd[1]},
    }
    rows = {row.title: {"paper": row.paper, "here": here[row.title]} for row in TABLE.rows}
    return {"capture": "me", "preset": "fast", "caveats": ["another video"], "rows": rows}


def test_the_direction_is_judged_by_the_spread_over_trainings() -> None:
    text = markdown(TABLE, result([27.0, 27.2], [28.0, 28.2], ([2.0, 2.1], [2.2, 2.3])))
    assert "| bad less good | −2 / −1 ✓ | +0.500 / −0.200 ✗ |" in text
    close = markdown(TABLE, result([28.0, 28.2], [28.1, 28.3], ([2.0, 2.1], [2.2, 2.3])))
    assert "| −2 / −0.100 ~ |" in close


def test_one_training_gives_no_marks() -> None:
    text = markdown(TABLE, result([27.0], [28.0], ([2.0], [2.2])))
    assert "| bad less good | −2 / −1 | +0.500 / −0.200 |" in text
    assert not set("✓✗~") & set(text) and "standard deviation between" not in text


def test_cells_hold_paper_and_here_and_other_papers_are_marked() -> None:
    text = markdown(TABLE, result([27.0, 27.2], [28.0, 28.0], ([2.0, 2.1], [2.2, 2.3])))
    assert "| bad | 30 / 27.10 ± 0.14 |" in text and "| paper only | 25 / – | – / – |" in text
    assert "| elsewhere † | 36 / 28 ± 0 |" in text and "| elsewhere less good | – / 0 ~ |" in text
    assert "0.5000" in text and text.rstrip().splitlines()[-2:][0] == "- another video"


def test_no_difference_in_the_paper_has_no_direction() -> None:
    alike = Table("y", "", ("PSNR",), (Row("a", {"PSNR": 30.0}, "any"), Row("b", {"PSNR": 30.0}, "any")), "b")
    rows = {
        name: {"paper": {"PSNR": 30.0}, "here": {"PSNR": [value, value + 0.1]}} for name, value in (("a", 1), ("b", 5))
    }
    text = markdown(alike, {"capture": "me", "preset": "fast", "caveats": [], "rows": rows})
    assert "| a less b | 0 / −4 |" in text


def test_noise_is_pooled_over_rows() -> None:
    told = result([27.0, 27.4, 27.2], [28.0, 28.2], ([2.0], [2.2]))
    pooled = ((2 * stdev([27.0, 27.4, 27.2]) ** 2 + 2 * stdev([28.0, 28.2]) ** 2) / 4) ** 0.5
    assert _noise(TABLE, told, "PSNR") == pytest.approx(pooled)  # the row from elsewhere has the good one's values
    assert _noise(TABLE, told, "LMD") == 0


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "+0.250"), (-1.0, "−1"), (0.0, "0"), (-0.00002, "0"), (0.00123, "+0.00120")]
)
def test_signs(value: float, text: str) -> None:
    assert _signed(value) == text
