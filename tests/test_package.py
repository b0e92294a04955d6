"""The public API, which loads itself when used."""

import pytest

import gaussiantalker


def test_names_are_found_where_they_live() -> None:
    from gaussiantalker.errors import GaussianTalkerError

    assert gaussiantalker.GaussianTalkerError is GaussianTalkerError
    assert {"Avatar", "Capture", "evaluate", "train", "__version__"} <= set(dir(gaussiantalker))


@pytest.mark.parametrize("name", ["Avatar", "Capture", "evaluate", "train"])
def test_every_promised_name_can_be_had(name: str) -> None:
    assert callable(getattr(gaussiantalker, name))


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Avatr'"):
        gaussiantalker.Avatr  # noqa: B018
