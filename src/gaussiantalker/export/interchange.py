"""The head as Gaussians that public viewers read, at rest or as it is in one frame of speech: as PLY, or as SPZ,
Niantic's packed format (github.com/nianticlabs/spz, version 2), a tenth of a PLY."""

import gzip
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.outputs import MARK, check_target
from gaussiantalker.media.sound import Sound
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.director import Director
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.splatting.ply import write_ply
from gaussiantalker.timing import FPS, frame_at, frame_count

_MAGIC, _VERSION = 0x5053474E, 2
_POSITION_BITS = 12  # of 24, after the point: a head is a few units wide
_COLOUR_SCALE = 0.15  # of the constant harmonic, so that its usual values fill a byte
_HARMONICS_BITS = (5, 4, 4)  # kept of each degree's eight, as the format's own packer does
_FLIPPED = torch.tensor([1.0, -1.0, -1.0])
"""From x right, y down, z forward to the format's x right, y up, z backward."""
_FLIPPED_HARMONICS = torch.tensor([-1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1.0])
"""Of degrees 1 to 3: which change their sign with y and z."""


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


def _write_spz(path: str | Path, gaussians: Gaussians) -> None:
    """Positions take 24 bits, harmonics 4 or 5, everything else a byte, behind gzip."""
    g = Gaussians.from_dict({name: tensor.detach().cpu().float() for name, tensor in gaussians.to_dict().items()})
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(_gzipped(_packed(g)))


def _packed(g: Gaussians) -> bytes:
    header = struct.pack("<IIIBBBB", _MAGIC, _VERSION, len(g), g.sh_degree, _POSITION_BITS, 0, 0)
    places = (g.means * _FLIPPED * 2**_POSITION_BITS).round().clamp(-(2**23), 2**23 - 1).int().numpy().astype("<i4")
    turns = F.normalize(g.quats, dim=1)
    turns = torch.where(turns[:, :1] < 0, -turns, turns)[:, 1:] * _FLIPPED
    parts = [
        header,
        places.view(np.uint8).reshape(-1, 4)[:, :3].tobytes(),
        _bytes((g.opacities * 255).clamp(1, 254)),  # a reader takes the logit of it
        _bytes((_COLOUR_SCALE * g.sh[:, 0] + 0.5) * 255),
        _bytes((g.log_scales + 10) * 16),
        _bytes((turns + 1) * 127.5),
    ]
    harmonics = []
    for degree in range(1, g.sh_degree + 1):
        of_degree = slice(degree**2, (degree + 1) ** 2)
        values = g.sh[:, of_degree] * _FLIPPED_HARMONICS[of_degree.start - 1 : of_degree.stop - 1, None]
        step = 2 ** (8 - _HARMONICS_BITS[degree - 1])
        harmonics.append(((values * 128 + 128) / step).round() * step)
    if harmonics:
        parts.append(_bytes(torch.cat(harmonics, dim=1)))
    return b"".join(parts)


def _bytes(values: torch.Tensor) -> bytes:
    return values.round().clamp(0, 255).byte().numpy().tobytes()


def _gzipped(data: bytes) -> bytes:
    """With a comment (RFC 1952, section 2.3) by which the file is known to be ours."""
    file = BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packer:
        packer.write(data)
    plain = file.getvalue()
    commented = bytes([*plain[:3], plain[3] | 16, *plain[4:10]])
    return commented + MARK.encode("latin-1") + b"\0" + plain[10:]


_WRITERS = {".ply": write_ply, ".spz": _write_spz}
