"""No number without its conditions, no missing number without its reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.evaluation.record import Measured, shown


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_is_a_number(value: float) -> None:
    with pytest.raises(ValueError, match="PSNR is"):
        Measured("PSNR", value)


def test_a_missing_value_has_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Measured("LSE-C", None)
    missing = Measured("LSE-C", None, note="no weights were given")
    assert str(missing) == "LSE-C: not measured (no weights were given)"
    assert missing.as_json()["measured"] is False


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_every_number_survives_json_and_is_shown_at_four_digits(value: float) -> None:
    measured = Measured("x", value, "dB")
    assert json.loads(json.dumps(measured.as_json(), allow_nan=False))["value"] == value
    assert float(shown(value).replace(",", "")) == pytest.approx(value, rel=6e-4)


def test_numbers_as_people_write_them() -> None:
    assert [shown(v) for v in (31.2345, 0.98765, 12345.0, 1.0, 0.0)] == ["31.23", "0.9877", "12,345", "1", "0"]
