"""The avatars that a server has, by name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar, FrameStream
from gaussiantalker.timing import SAMPLE_RATE


def load(folders: Sequence[Path], device: str, progress: Progress, exact: bool = False) -> dict[str, Avatar]:
    """Avatars by the names of their folders. Raises GaussianTalkerError when two have the same, or there are none."""
    if not folders:
        raise GaussianTalkerError("Name the folder of at least one avatar, written by gaussiantalker train.")
    avatars: dict[str, Avatar] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in avatars:
            raise GaussianTalkerError(f"Two avatars are called {name}; rename one's folder.")
        avatars[name] = _warmed(folder, device, progress, exact)
    return avatars


def _warmed(folder: Path, device: str, progress: Progress, exact: bool) -> Avatar:
    """An avatar that has spoken a little, so that no client waits for what is slow the first time."""
    avatar = Avatar.load(folder, progress, device, exact=exact)
    FrameStream(avatar).push(np.zeros(SAMPLE_RATE, np.float32))
    return avatar
