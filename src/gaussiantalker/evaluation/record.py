"""What one measured number is: never a bare value; and how a file of such numbers is told from others."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import read_json

Better = Literal["higher", "lower", ""]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Measured:
    """A number with everything needed to know what it says, or the reason why there is none.

    `better` tells which direction is good, `region` which pixels or points count, `model` which detector or network
    stands behind it, `n` how many frames (or pairs of frames) it is a mean over.
    """

    label: str
    value: float | None
    unit: str = ""
    better: Better = ""
    region: str = ""
    model: str = ""
    n: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.label} is {self.value}; say why it could not be measured instead")
        if self.value is None and not self.note:
            raise ValueError(f"{self.label} was not measured, and the reason is missing")

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"measured": self.value is not None}

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.label}: not measured ({self.note})"
        return f"{self.label}: {shown(self.value)}{' ' if self.unit else ''}{self.unit}"


class NotMeasured(Exception):
    """There is no number, and this is why."""


class Score(NamedTuple):
    """What a metric found: the number, how many frames (or pairs of frames) it is a mean over, and a remark."""

    value: float
    n: int = 0
    note: str = ""


def given(value: _T | None) -> _T:
    """What must be there for a number. Raises NotMeasured where it is not."""
    if value is None:
        raise NotMeasured("what it needs is not there")
    return value


def shown(value: float, significant: int = 4) -> str:
    """The number at four significant digits, or as many as said, whole numbers in full."""
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    digits = max(0, significant - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def has_keys(path: Path, *keys: str) -> bool:
    """Whether a file is a JSON object with these keys, as what was written here is, and so may be replaced."""
    try:
        found = read_json(path)
    except GaussianTalkerError:
        return False
    return isinstance(found, dict) and set(keys) <= set(found)
