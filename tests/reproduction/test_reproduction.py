"""The papers' tables as values, and their reproduction on stand-ins for training and measuring."""

import json
import os
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.metrics import METRICS
from gaussiantalker.evaluation.record import Measured
from gaussiantalker.media.audio import write_wav
from gaussiantalker.reproduction import experiments, reproduce
from gaussiantalker.reproduction.experiments import TRAINING_TIME, _schedule_of
from gaussiantalker.reproduction.papers import COLUMNS, STAR, TABLES, milestones
from gaussiantalker.talker import find_method
from gaussiantalker.training.schedule import SCHEDULES
from gaussiantalker.training.train import kept


def measure(rendering: SimpleNamespace, keys: Collection[str]) -> dict[str, Measured]:
    """Finds 30 dB everywhere, a little more with each seed, and nothing that needs SyncNet."""
    folder = rendering.folder
    done.append(f"measure {folder.parent.name}/{folder.name}: {len(keys)}")
    seed = int(str(folder).rpartition("-seed")[2][0])
    synced = rendering.inputs.syncnet is not None
    sync = Measured("LSE-C", 6.0) if synced else Measured("LSE-C", None, note="no weights")
    return {key: sync if key.startswith("lse") else Measured(key, 30.0 + 0.1 * seed) for key in keys}


done: list[str] = []


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every training and measurement leaves its name in this list."""
    done.clear()

    def train(
        capture: Path, out: Path, *, method: str, schedule: object, seed: int, keep: list[int], **_: object
    ) -> None:
        done.append(f"train {method} {schedule.canonical_steps}+{schedule.deformation_steps}")
        for folder in (out, *(kept(out, step) for step in keep)):
            folder.mkdir(parents=True)
            (folder / "avatar.json").write_text("{}")

    capture = SimpleNamespace(path=tmp_path / "me", frames=1500, train_frames=1364, size=128)
    monkeypatch.setattr(experiments.Capture, "load", lambda path: capture)
    monkeypatch.setattr(experiments, "train", train)
    monkeypatch.setattr(experiments, "prepare", lambda progress: None)
    monkeypatch.setattr(experiments, "measure", measure)
    monkeypatch.setattr(experiments.Avatar, "load", lambda folder, *_, **__: None)
    monkeypatch.setattr(
        experiments.Rendering,
        "of",
        lambda avatar, folder, reference, scratch: SimpleNamespace(folder=folder, inputs=reference.inputs),
    )
    monkeypatch.setattr(experiments.SyncNet, "load", lambda path: "weights")
    return done


@pytest.mark.parametrize("name", TABLES)
def test_every_row_names_known_columns_and_a_method_that_exists(name: str) -> None:
    table = TABLES[name]
    titles = {row.title for row in table.rows}
    for row in table.rows:
        assert set(row.paper) <= set(table.columns) <= set(COLUMNS)
        assert (row.against or table.reference) in titles
        if row.method is not None:
            find_method(row.method)
    assert set(table.keys.values()) <= {TRAINING_TIME, *METRICS}
    assert any(row.method for row in table.rows) and len(titles) == len(table.rows)


def test_rows_change_only_what_they_say() -> None:
    plan = SCHEDULES["fast"]
    rows = {row.title: row for row in TABLES["6"].rows}
    assert _schedule_of(TABLES["4"].rows[-1], plan) is plan and _schedule_of(rows["with, 500"], plan) is plan
    without = _schedule_of(rows["without, 500"], plan)
    assert (without.canonical_steps, without.deformation_steps) == (0, plan.deformation_steps)
    assert without.name != plan.name


def test_stages_are_measured_on_the_way_of_two_trainings(trained: list[str], tmp_path: Path) -> None:
    assert milestones(STAR, True) == milestones(STAR, False) == [0.05, 0.1, 0.5]
    assert milestones(STAR + "/predict-all", True) == []
    plan = SCHEDULES["fast"]
    reproduce("6", tmp_path / "me", tmp_path / "out")
    assert [line for line in trained if line.startswith("train")] == [
        f"train {STAR} 0+{plan.deformation_steps}",
        f"train {STAR} {plan.canonical_steps}+{plan.deformation_steps}",
    ]
    steps = [plan.deformation_steps * share // 100 for share in (5, 10, 50)]
    measured = [line.split("/")[1].split(":")[0] for line in trained if line.startswith("measure")]
    assert measured == [f"after-{step}" for step in steps] * 2


def test_a_table_is_trained_measured_and_written(trained: list[str], tmp_path: Path) -> None:
    text = reproduce("5", tmp_path / "me", tmp_path / "out")
    assert [line.split()[0] for line in trained] == ["train", "measure"] * 4
    assert "| without eye | 32.826 / 30 | 0.015 / 30 |" in text and "6.911 / – |" in text
    assert "60 s at 128 pixels, 136 frames held out" in text and "another schedule" in text
    assert "~ |" not in text, "with one training nothing is known of chance"
    assert (tmp_path / "out" / "table-5.md").read_text() == text
    row = json.loads((tmp_path / "out" / "table-5.json").read_text())["rows"]["all"]
    assert row["paper"]["PSNR"] == 33.299 and row["here"]["PSNR"] == [30.0] and row["here"]["Sync"] == [None]


def test_several_seeds_train_each_row_as_often(trained: list[str], tmp_path: Path) -> None:
    reproduce("5", tmp_path / "me", tmp_path / "out")
    trained.clear()
    text = reproduce("5", tmp_path / "me", tmp_path / "out", seeds=2)
    assert len(trained) == 2 * 4, "the first seed's avatars are there already"
    assert "32.826 / 30.05 ± 0.071" in text and "−0.473 / 0 ~" in text
    assert json.loads((tmp_path / "out" / "table-5.json").read_text())["rows"]["all"]["here"]["PSNR"] == [30.0, 30.1]


def test_what_is_done_is_not_done_again_and_tables_share_avatars(trained: list[str], tmp_path: Path) -> None:
    reproduce("4", tmp_path / "me", tmp_path / "out")
    trained.clear()
    reproduce("4", tmp_path / "me", tmp_path / "out")
    assert trained == []
    reproduce("3", tmp_path / "me", tmp_path / "out")
    assert len(trained) == 2 * 3  # the fourth row is the plain method, which table 4 has already
    newer = tmp_path / "out" / f"{STAR}-fast-seed0" / "avatar.json"
    os.utime(newer, (newer.stat().st_mtime + 10,) * 2)
    trained.clear()
    reproduce("4", tmp_path / "me", tmp_path / "out")
    assert [line.split(":")[0] for line in trained] == [f"measure out/{STAR}-fast-seed0"]


def test_a_table_with_more_columns_measures_only_those(trained: list[str], tmp_path: Path) -> None:
    reproduce("4", tmp_path / "me", tmp_path / "out")
    trained.clear()
    reproduce("1", tmp_path / "me", tmp_path / "out")
    (again,) = [line for line in trained if line.startswith(f"measure out/{STAR}-fast")]
    assert int(again.split()[-1]) == 4, "SSIM, AUE, CSIM and speed; the training's time is read"
    row = json.loads((tmp_path / "out" / "table-1.json").read_text())["rows"]["GaussianTalker*"]
    assert row["here"]["min"][0] >= 0


def test_weights_that_come_later_are_used(trained: list[str], tmp_path: Path) -> None:
    (tmp_path / "syncnet.model").write_bytes(b"weights")
    reproduce("4", tmp_path / "me", tmp_path / "out")
    trained.clear()
    text = reproduce("4", tmp_path / "me", tmp_path / "out", syncnet=tmp_path / "syncnet.model")
    assert len(trained) == 3 and "6.928 / 6 |" in text


def test_other_speech_is_measured_anew(trained: list[str], tmp_path: Path) -> None:
    for name in ("one.wav", "two.wav"):
        write_wav(tmp_path / name, np.zeros(6400, np.float32))
    reproduce("2", tmp_path / "me", tmp_path / "out", audio=tmp_path / "one.wav")
    trained.clear()
    reproduce("2", tmp_path / "me", tmp_path / "out", audio=tmp_path / "one.wav")
    assert trained == []
    reproduce("2", tmp_path / "me", tmp_path / "out", audio=tmp_path / "two.wav")
    assert len(trained) == 4 and all(line.endswith(": 2") for line in trained)


def test_rows_without_a_method_here_show_the_paper_alone(trained: list[str], tmp_path: Path) -> None:
    text = reproduce("1", tmp_path / "me", tmp_path / "out", preset="paper")
    assert "| ER-NeRF | 31.673 / – |" in text and "| EGSTalker † | 36.07 / 30 |" in text
    assert len(trained) == 8 and "another schedule" not in text and "† from its own paper" in text


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("7", {}, "There is no table 7"),
        ("1", {"preset": "slow"}, "There is no preset 'slow': choose one of fast, demo, paper"),
        ("1", {"seeds": 0}, "There cannot be 0 trainings"),
        ("2", {}, "name a recording with --audio"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    name: str, options: dict, sentence: str, trained: list[str], tmp_path: Path
) -> None:
    with pytest.raises(GaussianTalkerError, match=sentence):
        reproduce(name, tmp_path / "me", tmp_path / "out", **options)
    assert trained == [] and not (tmp_path / "out").exists()


def test_tables_that_somebody_else_wrote_stay(trained: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "table-5.md").write_text("mine")
    with pytest.raises(GaussianTalkerError, match="table-5.md is not a table that reproduce wrote"):
        reproduce("5", tmp_path / "me", tmp_path / "out")
    assert trained == [] and (tmp_path / "out" / "table-5.md").read_text() == "mine"
