"""Films are told apart: signed, only marked in their pictures, or neither."""

from pathlib import Path

import numpy as np
import pytest
from marked_pictures import PAYLOAD, marked, scene

from gaussiantalker.cli.main import main
from gaussiantalker.media.video import write_video
from gaussiantalker.provenance import manifest
from gaussiantalker.provenance.label import label
from gaussiantalker.provenance.verification import verify


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    paths = {name: tmp_path / f"{name}.mp4" for name in ("plain", "marked", "signed")}
    write_video(paths["plain"], scene())
    write_video(paths["marked"], marked(scene()))
    manifest.sign(paths["plain"], paths["signed"], "signed.mp4", {"method": "m"}, manifest.credentials())
    return paths


def test_either_mark_is_enough(films: dict[str, Path]) -> None:
    assert {name: verify(path).marked for name, path in films.items()} == {
        "plain": False,
        "marked": True,
        "signed": True,
    }


def test_a_changed_film_is_not_believed_its_manifest(films: dict[str, Path]) -> None:
    data = bytearray(films["signed"].read_bytes())
    data[-20] ^= 1
    films["signed"].write_bytes(data)
    assert not verify(films["signed"]).marked


def test_the_verb_answers_in_words_and_by_its_exit_code(films: dict[str, Path], capsys) -> None:
    assert main(["verify", str(films["plain"])]) == 1
    assert "no mark" in capsys.readouterr().out
    assert main(["verify", str(films["marked"]), "--json"]) == 0
    assert f'"avatar": "{PAYLOAD:010x}"' in capsys.readouterr().out
    assert main(["verify", str(films["plain"].with_name("none.mp4"))]) == 2


def test_without_the_library_it_says_so(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "available", lambda: False)
    found = verify(films["marked"])
    assert found.marked and "pip install" in str(found)


@pytest.mark.parametrize("side", [256, 512])
def test_a_label_is_bright_letters_in_the_corner(side: int) -> None:
    picture = label(np.full((side, side, 3), 200, np.uint8))
    assert picture[-side // 4 :, : side // 2].max() > 230 and picture[-side // 4 :, : side // 2].min() < 120
    assert (picture[: side // 2] == 200).all()
