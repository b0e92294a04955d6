"""Action units: the proxies by construction, OpenFace's against the definition written out."""

from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.action_units import _read_units, intensities, unit_error

# METHODS: the units that OpenFace measures, in the order of its table.
UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
LOWER = (10, 12, 14, 15, 17, 20, 23, 25, 26)


def test_one_score_moves_one_unit() -> None:
    scores = np.zeros((3, 52))
    moved = scores.copy()
    moved[:, NAMES.index("jawOpen")] = 0.2
    lower, upper = (unit_error(intensities(scores, part), intensities(moved, part)) for part in (False, True))
    assert lower == pytest.approx(1.0)  # (0.2 * 5)^2 of unit 26 alone
    assert upper == 0


def test_frames_without_a_face_do_not_count() -> None:
    a, b = np.random.default_rng(0).random((2, 6, 9))
    with_hole = np.concatenate([b, np.full((1, 9), np.nan)])
    assert unit_error(np.concatenate([a, a[:1]]), with_hole) == pytest.approx(unit_error(a, b))


def test_every_unit_of_the_papers_is_there() -> None:
    ones = np.ones((1, 52))
    assert intensities(ones, upper=True) == pytest.approx(np.full((1, 8), 5.0))
    assert intensities(ones, upper=False) == pytest.approx(np.full((1, 9), 5.0))


def table(path: Path, values: np.ndarray) -> Path:
    """As OpenFace writes it: blanks before the names, presences after the intensities."""
    names = ["frame", "confidence", *(f"AU{unit:02d}_r" for unit in UNITS), "AU28_c"]
    rows = [f"{k + 1}, 0.98, {', '.join(f'{v:.4f}' for v in row)}, 0.00" for k, row in enumerate(values)]
    path.write_text("\n".join([", ".join(names), *rows]) + "\n")
    return path


def test_openface_units_are_parted_into_upper_and_lower_face(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((5, len(UNITS))).round(4) * 5
    found = _read_units(table(tmp_path / "au.csv", values))
    is_lower = np.isin(UNITS, LOWER)
    assert found["lower"] == pytest.approx(values[:, is_lower], abs=1e-4)
    assert np.sort(found["upper"]) == pytest.approx(np.sort(values[:, ~is_lower]), abs=1e-4)


def test_a_table_without_a_unit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "au.csv").write_text("frame, AU01_r\n1, 2\n")
    with pytest.raises(GaussianTalkerError, match="no column AU02_r"):
        _read_units(tmp_path / "au.csv")
