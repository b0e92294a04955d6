"""The public API, which loads itself when used."""

import ast
from pathlib import Path

import pytest

import gaussiantalker


def test_names_are_found_where_they_live() -> None:
    from gaussiantalker.errors import GaussianTalkerError

    assert gaussiantalker.GaussianTalkerError is GaussianTalkerError
    assert {"Avatar", "Capture", "evaluate", "train", "__version__"} <= set(dir(gaussiantalker))


def test_editors_are_told_the_same_names() -> None:
    tree = ast.parse(Path(gaussiantalker.__file__).read_text(encoding="utf-8"))
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {alias.name: node.module for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == gaussiantalker._HOMES


def test_capture_is_the_function_whoever_imported_the_module(tmp_path: Path) -> None:
    import gaussiantalker.capture

    with pytest.raises(gaussiantalker.GaussianTalkerError, match="does not exist"):
        gaussiantalker.capture(tmp_path / "no-film.mp4", tmp_path / "out")


@pytest.mark.parametrize("name", ["Avatar", "Capture", "capture", "evaluate", "train"])
def test_every_promised_name_can_be_had(name: str) -> None:
    assert callable(getattr(gaussiantalker, name))


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Avatr'"):
        gaussiantalker.Avatr  # noqa: B018
