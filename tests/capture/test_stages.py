"""Work is repeated when, and only when, something it depends on has changed."""

import errno
import json
from pathlib import Path

import pytest

from gaussiantalker.capture.stages import Stage, Stages
from gaussiantalker.errors import Failure, GaussianTalkerError
from gaussiantalker.media.files import atomic_path


class Kitchen:
    """Two stages: `dough` writes what `bread` reads."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, []
        self.salt, self.version = 1, 1

    def bake(self, record: dict, force: tuple[str, ...] = ()) -> Stages:
        stages = Stages(self.folder / "capture.json", record, force)
        for stage in self.recipe():
            stages.run(stage, self)
        return stages

    def recipe(self) -> list[Stage]:
        def salt(kitchen: "Kitchen") -> dict:
            return {"salt": kitchen.salt}

        return [
            Stage("dough", self.version, (), ("dough.txt",), lambda kitchen: kitchen.dough(), settings=salt),
            Stage("bread", 1, ("dough",), ("bread.txt", "crumbs.txt"), lambda kitchen: kitchen.bread()),
        ]

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


def interrupted(kitchen: Kitchen, record: dict, error: BaseException) -> None:
    """Bakes until the dough is half kneaded."""

    def dough() -> dict:
        (kitchen.folder / "dough.txt").write_text("half")
        raise error

    kitchen.dough = dough
    with pytest.raises(type(error) if not isinstance(error, OSError) else Failure):
        kitchen.bake(record)
    del kitchen.dough


def test_work_goes_on_only_where_the_same_work_was_killed(kitchen: Kitchen) -> None:
    kept = kitchen.folder / "dough.txt"

    def found() -> bool:
        seen = []
        kitchen.dough = lambda: seen.append(kept.exists()) or Kitchen.dough(kitchen)
        kitchen.bake(json.loads((kitchen.folder / "capture.json").read_text()))
        del kitchen.dough
        return seen == [True]

    interrupted(kitchen, {}, KeyboardInterrupt())
    assert found(), "half-kneaded dough is kneaded on"
    kitchen.salt = 2
    interrupted(kitchen, {}, KeyboardInterrupt())
    kitchen.salt = 3
    assert not found(), "but not with other salt"


def test_a_forced_stage_begins_anew(kitchen: Kitchen) -> None:
    record = kitchen.bake({}).record
    assert kitchen.bake(record, ("dough",)).ran == ["dough"], "the same dough comes out, so the bread is still good"


def test_what_is_refused_leaves_nothing(kitchen: Kitchen) -> None:
    interrupted(kitchen, {}, GaussianTalkerError("mouldy"))
    assert list(kitchen.folder.iterdir()) == []


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "became full"), (errno.EACCES, "could not go on")])
def test_what_the_system_refuses_is_a_failure_that_keeps_what_is_there(
    kitchen: Kitchen, number: int, words: str
) -> None:
    interrupted(kitchen, {}, OSError(number, "refused"))
    assert (kitchen.folder / "dough.txt").read_text() == "half"
    kitchen.dough = lambda: (_ for _ in ()).throw(OSError(number, "refused"))
    with pytest.raises(Failure, match=words) as told:
        kitchen.bake({})
    assert told.value.exit_code == 1 and "'dough'" in str(told.value)


def test_a_file_that_meets_a_full_disk_is_told_with_its_stage(kitchen: Kitchen) -> None:
    def dough() -> dict:
        (kitchen.folder / "dough.txt").write_text("half")
        with atomic_path(kitchen.folder / "crumbs.txt"):
            raise OSError(errno.ENOSPC, "refused")

    kitchen.dough = dough
    with pytest.raises(Failure, match="became full in the stage 'dough'.*what is finished is kept"):
        kitchen.bake({})
    assert (kitchen.folder / "dough.txt").read_text() == "half"
