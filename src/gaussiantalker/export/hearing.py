"""The speech part of an exported folder: what an avatar hears with, as the player in a page reads it."""

from pathlib import Path

from gaussiantalker.speaking import Avatar


def write_hearing(avatar: Avatar, folder: Path) -> dict[str, int]:
    """Writes what `player/hearing.js` needs of an avatar into the exported folder; returns bytes by file name."""
    return {}
