"""The exceptions a user is meant to read."""

from collections.abc import Mapping
from typing import TypeVar

_Value = TypeVar("_Value")


class GaussianTalkerError(Exception):
    """Something the user can put right: one sentence that says what is wrong and what to do about it.

    The command line prints the sentence and exits with code 2; from Python it is an ordinary exception.
    """

    exit_code = 2


class Failure(GaussianTalkerError):
    """What went wrong is not the input's fault, as a full disk; the command line exits with code 1."""

    exit_code = 1


def chosen(kind: str, name: str, known: Mapping[str, _Value], instead: str = "") -> _Value:
    """What has this name. Raises GaussianTalkerError where nothing has; the sentence lists what there is."""
    if name not in known:
        raise GaussianTalkerError(f"There is no {kind} {name!r}: choose one of {', '.join(known)}{instead}.")
    return known[name]
