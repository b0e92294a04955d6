"""The paper's tables as values, and their reproduction on stand-ins for training and measuring."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation import Materials, reproduce, reproduction
from gaussiantalker.evaluation.papers import COLUMNS, STAR, TABLES
from gaussiantalker.evaluation.reproduction import schedule_of
from gaussiantalker.talker import find_method
from gaussiantalker.training.schedule import find_schedule


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every training and evaluation leaves its name in this list; an evaluation finds 30 dB."""
    done: list[str] = []

    def train(capture: Path, out: Path, *, method: str, schedule: object, progress: object) -> None:
        if not (out / "avatar.json").exists():
            done.append(f"train {method} {schedule.canonical_steps}+{schedule.deformation_steps}")
            out.mkdir(parents=True)
            (out / "avatar.json").write_text("{}")

    def evaluate(avatar: Path, capture: Path, **options: object) -> None:
        done.append(f"evaluate {avatar.name}")
        metrics = {"psnr_head": {"value": 30.0}, "lse_c": {"value": None}, "sync_correlation": {"value": 0.5}}
        (avatar / "evaluation.json").write_text(json.dumps({"metrics": metrics}))

    capture = SimpleNamespace(path=tmp_path / "me", frames=1500, size=256)
    monkeypatch.setattr(reproduction.Capture, "load", lambda path: capture)
    monkeypatch.setattr(reproduction, "train", train)
    monkeypatch.setattr(reproduction, "evaluate", evaluate)
    return done


@pytest.mark.parametrize("number", TABLES)
def test_every_row_names_known_columns_and_a_method_that_exists(number: int) -> None:
    table = TABLES[number]
    for row in table.rows:
        assert set(row.paper) <= set(table.columns) <= set(COLUMNS)
        if row.method is not None:
            find_method(row.method)
    assert any(row.method for row in table.rows)


def test_rows_change_only_what_they_say() -> None:
    plan = find_schedule("demo")
    rows = {row.title: row for row in TABLES[6].rows}
    assert schedule_of(TABLES[4].rows[-1], plan) is plan
    without, with_first = schedule_of(rows["without, 500"], plan), schedule_of(rows["with, 500"], plan)
    assert (without.canonical_steps, with_first.canonical_steps) == (0, plan.canonical_steps)
    assert without.deformation_steps == with_first.deformation_steps == plan.deformation_steps // 20
    assert without.name != with_first.name


def test_a_table_is_trained_measured_and_written(trained: list[str], tmp_path: Path) -> None:
    text = reproduce(5, tmp_path / "me", tmp_path / "out")
    assert [line.split()[0] for line in trained] == ["train", "evaluate"] * 4
    assert "| without eye | 32.83 / 30 | 0.015 / – |" in text.replace("0.01500", "0.015")
    assert "60 s at 256 pixels" in text and "another schedule" in text
    assert (tmp_path / "out" / "table-5.md").read_text() == text
    row = json.loads((tmp_path / "out" / "table-5.json").read_text())["rows"]["all"]
    assert row["paper"]["PSNR"] == 33.299 and row["here"]["psnr_head"] == 30.0 and row["here"]["lse_c"] is None


def test_what_is_done_is_not_done_again_and_tables_share_avatars(trained: list[str], tmp_path: Path) -> None:
    reproduce(4, tmp_path / "me", tmp_path / "out")
    trained.clear()
    reproduce(4, tmp_path / "me", tmp_path / "out")
    assert trained == []
    reproduce(3, tmp_path / "me", tmp_path / "out")
    assert len(trained) == 2 * 3  # the fourth row is the plain method, which table 4 has already
    newer = tmp_path / "out" / f"{STAR}-demo" / "avatar.json"
    os.utime(newer, (newer.stat().st_mtime + 10,) * 2)
    trained.clear()
    reproduce(4, tmp_path / "me", tmp_path / "out")
    assert trained == [f"evaluate {STAR}-demo"]


def test_rows_without_a_method_here_show_the_paper_alone(trained: list[str], tmp_path: Path) -> None:
    text = reproduce(1, tmp_path / "me", tmp_path / "out", preset="paper")
    assert "| ER-NeRF | 31.67 / – |" in text
    assert len(trained) == 4 and "another schedule" not in text


@pytest.mark.parametrize(
    ("number", "options", "sentence"),
    [
        (7, {}, "There is no table 7"),
        (1, {"preset": "slow"}, "There is no preset 'slow': choose one of fast, paper"),
        (2, {"materials": Materials()}, "name a recording with --audio"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    number: int, options: dict, sentence: str, trained: list[str], tmp_path: Path
) -> None:
    with pytest.raises(GaussianTalkerError, match=sentence):
        reproduce(number, tmp_path / "me", tmp_path / "out", **options)
    assert trained == [] and not (tmp_path / "out").exists()
