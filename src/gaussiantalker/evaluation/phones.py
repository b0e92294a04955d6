"""What is being said when, where somebody knows it: does the mouth shut for p, b and m, and open for a?"""

import csv
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import existing_file
from gaussiantalker.progress import Progress
from gaussiantalker.speech.phones import recognise
from gaussiantalker.timing import FPS

# Names of the CMU pronouncing dictionary, as Festival and PocketSphinx use them.
CLOSED = frozenset({"b", "m", "p"})
OPEN = frozenset({"aa", "ae", "ah", "ao", "aw", "ay", "eh"})
SILENT = frozenset({"pau", "sil", "h#", "#", ""})
FEWEST = 3  # of a kind, below which their mean says nothing


@dataclass(frozen=True)
class Phone:
    """A sound of speech and the frames [first, stop) it covers."""

    name: str
    first: int
    stop: int


def read_phones(path: str | Path) -> list[Phone]:
    """From a table with the columns start, end (seconds) and phone. Raises GaussianTalkerError when it has others."""
    path = existing_file(path, "phones")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [(float(row["start"]), float(row["end"]), row["phone"]) for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError):
        raise GaussianTalkerError(f"{path} is not a table of phones; give columns start, end and phone") from None
    return [_phone(name, start, end) for start, end, name in rows]


def phones_of_frames(names: np.ndarray) -> list[Phone]:
    """From the phone of every frame [N]: a run of one name is one phone."""
    phones, at = [], 0
    for name, run in groupby(names.tolist()):
        length = len(list(run))
        phones.append(Phone(str(name).lower(), at, at + length))
        at += length
    return phones


def recognised(audio: np.ndarray, progress: Progress) -> list[Phone]:
    """What PocketSphinx hears in 16 kHz sound [S]; none, and a sentence why, where it is not installed."""
    try:
        return [_phone(heard.name, heard.start, heard.end) for heard in recognise(audio, progress)]
    except GaussianTalkerError as error:
        progress.note(f"The report's curves have no phones. {error}")
        return []


def closure(opening: np.ndarray, phones: list[Phone]) -> tuple[float, float, int] | None:
    """How far the mouth is open at its most closed for b, m, p, and on average in pauses, each over its widest in open
    vowels; and how many phones of the first kind there were. From openings [N].

    None with fewer than three of either kind, or vowels that do not open the mouth.
    """
    inside = [phone for phone in phones if phone.stop <= len(opening) and np.isfinite(opening[_frames(phone)]).any()]
    widest = [np.nanmax(opening[_frames(phone)]) for phone in inside if phone.name in OPEN]
    least = [np.nanmin(opening[_frames(phone)]) for phone in inside if phone.name in CLOSED]
    silent = [np.nanmean(opening[_frames(phone)]) for phone in inside if phone.name in SILENT]
    if len(widest) < FEWEST or len(least) < FEWEST or np.mean(widest) < 1e-6:
        return None
    wide = float(np.mean(widest))
    return float(np.mean(least)) / wide, float(np.mean(silent)) / wide if silent else float("nan"), len(least)


def _frames(phone: Phone) -> slice:
    return slice(phone.first, phone.stop)


def _phone(name: str, start: float, end: float) -> Phone:
    """Every frame whose middle lies in the phone; at least one."""
    first = round(start * FPS)
    return Phone(name.lower(), first, max(first + 1, round(end * FPS)))
