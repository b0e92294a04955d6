"""What is being said when, where somebody knows it: does the mouth shut for p, b and m, and open for a?"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.stats import rankdata

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import existing_file
from gaussiantalker.progress import Progress
from gaussiantalker.speech.phones import PHONES, recognise
from gaussiantalker.timing import FPS

# Names of the CMU pronouncing dictionary, as Festival and PocketSphinx use them.
CLOSED = frozenset({"b", "m", "p"})
OPEN = frozenset({"aa", "ae", "ah", "ao", "aw", "ay", "eh"})
SILENT = frozenset({"pau", "sil", "h#", "#", ""})
_KNOWN = SILENT.union(
    (name.lower() for name in PHONES),
    ("ax", "axr", "ix", "ux", "dx", "el", "em", "en", "eng", "nx", "hv", "q"),  # reduced vowels, flaps and the like
    ("brth", "spn", "nsn"),
)
_FEWEST = 3  # of a kind, below which their mean says nothing
_LONGEST = 1e6  # seconds that a recording may last
SHUT = 0.2  # of the widest: a mouth less open than that is shut


@dataclass(frozen=True)
class PhoneFrames:
    """A sound of speech and the frames [first, stop) it covers."""

    name: str
    first: int
    stop: int


@dataclass(frozen=True)
class Transcript:
    """Phones, and who says so: "truth" for the maker of the sound, else the recogniser that guessed; "" for nobody."""

    phones: list[PhoneFrames]
    source: str

    @property
    def guessed(self) -> bool:
        return self.source not in ("truth", "")


class Closures(NamedTuple):
    """How well a mouth shuts where it should and nowhere else."""

    f1: float
    recall: float
    precision: float
    auc: float  # NaN where no frame of speech, or every one, is to be shut
    events: int  # phones that shut the mouth
    frames: int  # of speech, over which the AUC is


def read_phones(path: str | Path) -> list[PhoneFrames]:
    """From a table with the columns start, end (seconds) and phone, a name of ARPAbet with or without stress.

    Raises GaussianTalkerError when it has others.
    """
    path = existing_file(path, "phones")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [(float(row["start"]), float(row["end"]), row["phone"]) for row in csv.DictReader(file)]
        if not all(0 <= start <= end < _LONGEST and name is not None for start, end, name in rows):
            raise ValueError
    except (KeyError, TypeError, ValueError, csv.Error):
        raise GaussianTalkerError(
            f"{path} is not a table of phones; give columns start, end (in seconds, in this order) and phone."
        ) from None
    if odd := unknown_phones(name for _, _, name in rows):
        raise GaussianTalkerError(f"{path} names a phone {odd[0]!r}; give names of ARPAbet, such as aa and m, or pau.")
    return [_phone(name, start, end) for start, end, name in _whole_pauses(rows)]


def _whole_pauses(rows: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """A pause that is written as several rows, as synthesizers do, is one."""
    whole: list[tuple[float, float, str]] = []
    for start, end, name in rows:
        if whole and _plain(name) in SILENT and _plain(whole[-1][2]) in SILENT and start <= whole[-1][1]:
            start = whole.pop()[0]
        whole.append((start, end, name))
    return whole


def unknown_phones(names: Iterable[object]) -> list[str]:
    """Those of these names that nobody calls a phone, in order."""
    return sorted({_plain(str(name)) for name in names} - _KNOWN)


def phones_of_frames(names: np.ndarray) -> list[PhoneFrames]:
    """From the phone of every frame [N]: a run of one name is one phone."""
    phones, at = [], 0
    for name, run in groupby(names.tolist()):
        length = len(list(run))
        phones.append(PhoneFrames(_plain(str(name)), at, at + length))
        at += length
    return phones


def recognised(audio: np.ndarray, progress: Progress) -> Transcript:
    """What PocketSphinx hears in 16 kHz sound [S]; none, and a sentence why, where it is not installed."""
    try:
        heard = recognise(audio, progress)
    except GaussianTalkerError as error:
        progress.note(f"Nothing is known of the phones. {error}")
        return Transcript([], "")
    return Transcript([_phone(phone.name, phone.start, phone.end) for phone in heard], "PocketSphinx")


def widest(opening: np.ndarray, phones: list[PhoneFrames]) -> float:
    """Mean over open vowels of the greatest opening in each, from openings [N]; NaN with fewer than three of them, or
    where they do not open the mouth."""
    wide = [np.nanmax(opening[_frames(phone)]) for phone in _inside(opening, phones) if phone.name in OPEN]
    return float(np.mean(wide)) if len(wide) >= _FEWEST and np.mean(wide) >= 1e-6 else float("nan")


def closure(opening: np.ndarray, phones: list[PhoneFrames]) -> tuple[float, float, int] | None:
    """How far the mouth is open at its most closed for b, m, p, and on average in pauses, each over its widest in open
    vowels; and how many phones of the first kind there were. From openings [N].

    None with fewer than three of either kind, or vowels that do not open the mouth.
    """
    inside, wide = _inside(opening, phones), widest(opening, phones)
    least = [np.nanmin(opening[_frames(phone)]) for phone in inside if phone.name in CLOSED]
    silent = [np.nanmean(opening[_frames(phone)]) for phone in inside if phone.name in SILENT]
    if np.isnan(wide) or len(least) < _FEWEST:
        return None
    return float(np.mean(least)) / wide, float(np.mean(silent)) / wide if silent else float("nan"), len(least)


def closures(
    opening: np.ndarray, phones: list[PhoneFrames], wide: float, reference: np.ndarray | None = None
) -> Closures | None:
    """Whether an opening [N] falls below a fifth of `wide` just where the mouth of the `reference`, bool [N], is shut;
    without one, in every b, m and p.

    An event is a b, m or p in which the reference is shut, one frame to either side included, and is found when the
    opening is, too. A false alarm is a stretch of shut frames that is neither near a shut reference, nor a b, m or p,
    nor a pause. The AUC is that of the opening as a score for shut frames of speech, and so asks for no threshold.
    None with fewer than three events.
    """
    lips, pause = (_mask(phones, names, len(opening)) for names in (CLOSED, SILENT))
    reference = lips if reference is None else reference
    with np.errstate(invalid="ignore"):
        shut = opening < SHUT * wide
    around = [slice(max(phone.first - 1, 0), phone.stop + 1) for phone in phones if phone.name in CLOSED]
    events = [part for part in around if reference[part].any()]
    if len(events) < _FEWEST or np.isnan(wide):
        return None
    found = sum(bool(shut[part].any()) for part in events)
    near, resting = binary_dilation(lips | reference), binary_dilation(pause, iterations=2)
    alarm = shut & ~np.logical_or(near, resting)
    false = int(np.count_nonzero(np.diff(alarm.astype(int), prepend=0) == 1))
    spoken = ~pause & np.isfinite(opening)
    f1 = 2 * found / (found + len(events) + false)
    area = _auc(-opening[spoken], reference[spoken])
    return Closures(f1, found / len(events), found / max(found + false, 1), area, len(events), int(spoken.sum()))


def _auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, by Mann and Whitney's U."""
    ranks, n = rankdata(score), int(positive.sum())
    if n in (0, len(score)):
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def _mask(phones: list[PhoneFrames], names: frozenset[str], frames: int) -> np.ndarray:  # bool [N]
    mask = np.zeros(frames, bool)
    for phone in phones:
        mask[_frames(phone)] |= phone.name in names
    return mask


def _inside(opening: np.ndarray, phones: list[PhoneFrames]) -> list[PhoneFrames]:
    """Phones of which the opening is known."""
    return [phone for phone in phones if phone.stop <= len(opening) and np.isfinite(opening[_frames(phone)]).any()]


def _frames(phone: PhoneFrames) -> slice:
    return slice(phone.first, phone.stop)


def _phone(name: str, start: float, end: float) -> PhoneFrames:
    """Every frame whose middle lies in the phone; at least one."""
    first = round(start * FPS)
    return PhoneFrames(_plain(name), first, max(first + 1, round(end * FPS)))


def _plain(name: str) -> str:
    """In small letters, without the digit that says how much a vowel is stressed."""
    return name.lower().rstrip("012")
