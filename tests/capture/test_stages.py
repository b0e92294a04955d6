"""Work is repeated when, and only when, something it depends on has changed."""

from pathlib import Path

import pytest

from gaussiantalker.capture.stages import Stages


class Kitchen:
    """Two stages: `dough` writes what `bread` reads."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, []
        self.salt, self.version = 1, 1

    def bake(self, record: dict) -> Stages:
        stages = Stages(self.folder / "capture.json", record)
        stages.run("dough", self.version, {"salt": self.salt}, [], ["dough.txt"], self.dough)
        stages.run("bread", 1, {}, ["dough"], ["bread.txt", "crumbs.txt"], self.bread)
        return stages

    def dough(self) -> dict:
        self.calls.append("dough")
        (self.folder / "dough.txt").write_text(f"salt {min(self.salt, 2)}")
        return {"kilos": 2}

    def bread(self) -> dict:
        self.calls.append("bread")
        (self.folder / "bread.txt").write_text((self.folder / "dough.txt").read_text() + " baked")
        return {}


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path)


def test_second_run_does_nothing(kitchen: Kitchen) -> None:
    record = kitchen.bake({}).record
    assert kitchen.bake(record).ran == []
    assert kitchen.calls == ["dough", "bread"]
    assert record["stages"]["dough"]["facts"] == {"kilos": 2}
    assert set(record["stages"]["bread"]["files"]) == {"bread.txt"}, "a file that was not written is not recorded"


def test_changed_setting_runs_what_depends_on_it(kitchen: Kitchen) -> None:
    record = kitchen.bake({}).record
    kitchen.salt = 2
    assert kitchen.bake(record).ran == ["dough", "bread"]
    kitchen.salt = 3
    assert kitchen.bake(record).ran == ["dough"], "the same dough comes out, so the bread is still good"
    kitchen.version = 2
    assert kitchen.bake(record).ran == ["dough"]


def test_missing_or_cut_file_is_made_again(kitchen: Kitchen) -> None:
    record = kitchen.bake({}).record
    (kitchen.folder / "bread.txt").write_text("bitten")
    assert kitchen.bake(record).ran == ["bread"]
    (kitchen.folder / "dough.txt").unlink()
    assert kitchen.bake(record).ran == ["dough"]


def test_a_killed_stage_is_not_trusted(kitchen: Kitchen) -> None:
    record = kitchen.bake({}).record
    kitchen.salt = 2
    kitchen.bread = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        kitchen.bake(record)
    assert set(record["stages"]) == {"dough"}
    del kitchen.bread
    assert kitchen.bake(record).ran == ["bread"]
