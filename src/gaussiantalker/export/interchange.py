"""The head as Gaussians that public viewers read: at rest, or as it is in one frame of speech."""

from pathlib import Path

import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export.spz import write_spz
from gaussiantalker.media.outputs import check_target
from gaussiantalker.media.sound import Sound
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.director import Director
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.splatting.ply import write_ply
from gaussiantalker.timing import FPS, frame_at, frame_count

_WRITERS = {".ply": write_ply, ".spz": write_spz}


def export_head(
    avatar: Avatar, path: str | Path, *, audio: str | Path | None = None, at: float = 0.0, force: bool = False
) -> Path:
    """Writes the head's Gaussians to a `.ply` or `.spz` file: at rest, or as they are `at` so many seconds of speech.

    Raises GaussianTalkerError where the file cannot be written, or the sound has no such moment.
    """
    path = Path(path)
    check_target(path, tuple(_WRITERS), inputs=[audio] if audio else [], force=force)
    _WRITERS[path.suffix.lower()](path, head(avatar, audio, at))
    return path


def head(avatar: Avatar, audio: str | Path | None = None, at: float = 0.0) -> Gaussians:
    """The head's Gaussians at rest, or as they are `at` so many seconds of this sound."""
    if audio is None:
        return avatar.shapes.rest
    sound = Sound.of(audio).heard
    frames, frame = frame_count(len(sound)), frame_at(at)
    if not 0 <= frame < frames:
        raise GaussianTalkerError(f"{audio} has no frame at {at:g} s: give a time from 0 to {frames / FPS:g}.")
    heard = avatar.listener.hear(sound)[frame : frame + 1]
    take = Director(avatar.motion, avatar.articulation, None).take(heard, frame, None)
    with torch.inference_mode():
        return avatar.shapes.posed(avatar.talker.conditions(take.drive.to(avatar.talker.device)))
