"""AUE when OpenFace was run, and the proxy that always runs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.action_units import OpenFace
from gaussiantalker.evaluation.held_out import Inputs, Rendering
from gaussiantalker.evaluation.metrics import measure

UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
HELD, FRAMES = 40, 220


def table(path: Path, rows: int, raised: dict[int, float]) -> Path:
    """OpenFace's table of a face on which some units have an intensity."""
    line = ", ".join(f"{raised.get(unit, 0.5):.2f}" for unit in UNITS)
    path.write_text("\n".join([", ".join(f"AU{unit:02d}_r" for unit in UNITS), *[line] * rows]))
    return path


@pytest.mark.parametrize("rows", [HELD, FRAMES], ids=["held-out frames", "the whole video"])
def test_aue_is_the_sum_of_mean_squares(rendering: Rendering, tmp_path: Path, rows: int) -> None:
    truth = table(tmp_path / "truth.csv", rows, {})
    render = table(tmp_path / "render.csv", HELD, {26: 1.5, 45: 2.5, 12: 0.0})
    tables = OpenFace.read((truth, render), rendering.reference.capture)
    rendering.reference.inputs = Inputs(openface=tables)
    scores = measure(rendering, ("aue", "aue_lower", "aue_upper"))
    assert scores["aue_lower"].value == pytest.approx(1.0**2 + 0.5**2)
    assert scores["aue_upper"].value == pytest.approx(2.0**2)
    assert scores["aue"].value == pytest.approx(5.25) and scores["aue"].n == HELD


def test_the_table_of_the_whole_video_is_cut_to_its_end(capture: SimpleNamespace, tmp_path: Path) -> None:
    render, truth = table(tmp_path / "render.csv", HELD, {}), tmp_path / "truth.csv"
    rows = [", ".join([f"{k:.1f}"] * len(UNITS)) for k in range(FRAMES)]
    truth.write_text("\n".join([", ".join(f" AU{unit:02d}_r" for unit in UNITS), *rows]))
    assert OpenFace.read((truth, render), capture).truth["upper"][:, 0].tolist() == list(range(FRAMES - HELD, FRAMES))


def test_a_table_of_another_video_is_refused(capture: SimpleNamespace, tmp_path: Path) -> None:
    short, right = table(tmp_path / "short.csv", 12, {}), table(tmp_path / "right.csv", HELD, {})
    for paths in ((short, right), (right, short)):
        with pytest.raises(GaussianTalkerError, match=r"short.csv has 12 rows for 40 held-out frames"):
            OpenFace.read(paths, capture)


def test_without_openface_a_proxy_stands_in_and_says_so(rendering: Rendering) -> None:
    scores = measure(rendering, ("aue", "aue_lower", "aue_upper", "au_proxy_lower"))
    assert (
        not any(scores[key].value for key in ("aue", "aue_lower", "aue_upper")) and "--openface" in scores["aue"].note
    )
    assert scores["au_proxy_lower"].value > 0 and "not comparable" in scores["au_proxy_lower"].note
