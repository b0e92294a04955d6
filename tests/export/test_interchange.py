"""The head as other viewers read it."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from puppet import a_puppet

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export import export_head
from gaussiantalker.export.interchange import head
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.director import Director
from gaussiantalker.splatting.ply import read_ply
from gaussiantalker.timing import SAMPLE_RATE


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return a_puppet()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    soundfile.write(tmp_path / "a.wav", 0.4 * np.sin(1500 * time) * np.sin(9 * time) ** 2, SAMPLE_RATE)
    return tmp_path / "a.wav"


def test_a_ply_holds_the_head_at_rest(avatar: Avatar, tmp_path: Path) -> None:
    read = read_ply(export_head(avatar, tmp_path / "head.ply"))
    for name, tensor in avatar.blendshapes.rest.to_dict().items():
        torch.testing.assert_close(getattr(read, name), tensor, msg=name)


def test_a_spoken_frame_is_what_is_drawn(avatar: Avatar, sound: Path) -> None:
    posed = head(avatar, sound, 0.5)
    heard = avatar.listener.hear(soundfile.read(sound, dtype="float32")[0])
    take = Director(avatar.motion, 1.0, None).take(heard[12:13], 12, None)
    with torch.inference_mode():
        shapes = avatar.blendshapes
        drawn = shapes.twin(shapes.coefficients(avatar.talker.conditions(take.drive)), take.drive.viewmats)
    torch.testing.assert_close(posed.means, drawn.means[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(posed.scales, drawn.scales[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(posed.opacities, drawn.opacities[0], rtol=1e-3, atol=1e-3)
    assert (posed.means - shapes.means).abs().max() > 0.01, "the test must have something that moves"


def test_a_second_that_the_sound_does_not_have(avatar: Avatar, sound: Path) -> None:
    for at in (1.0, -1.0):
        with pytest.raises(GaussianTalkerError, match="from 0 to 1"):
            head(avatar, sound, at)


def test_an_spz_holds_what_its_description_says(avatar: Avatar, tmp_path: Path) -> None:
    """Unpacked by the format's own description, in axes with y upwards and z backwards."""
    path = export_head(avatar, tmp_path / "head.spz")
    data, rest = gzip.decompress(path.read_bytes()), avatar.blendshapes.rest
    count = len(rest)
    magic, version, points, degree, bits, flags, _ = struct.unpack("<IIIBBBB", data[:16])
    assert (magic, version, points, degree, flags) == (0x5053474E, 2, count, rest.sh_degree, 0)
    sizes = np.cumsum([16, 9 * count, count, 3 * count, 3 * count, 3 * count, 24 * count])
    places, alphas, colours, scales, turns, harmonics = (
        np.frombuffer(data[start:end], np.uint8).astype(float) for start, end in zip(sizes, sizes[1:], strict=False)
    )
    assert len(data) == sizes[-1]
    whole = places.reshape(-1, 3, 3) @ [1, 256, 65536]
    whole = np.where(whole >= 2**23, whole - 2**24, whole) / 2**bits
    np.testing.assert_allclose(whole * [1, -1, -1], rest.means, atol=2e-4)
    np.testing.assert_allclose(alphas / 255, rest.opacities, atol=0.003)
    np.testing.assert_allclose((colours.reshape(-1, 3) / 255 - 0.5) / 0.15, rest.sh[:, 0], atol=0.03)
    np.testing.assert_allclose(scales.reshape(-1, 3) / 16 - 10, rest.log_scales, atol=0.04)
    vector = turns.reshape(-1, 3) / 127.5 - 1
    real = np.sqrt(np.maximum(1 - (vector**2).sum(axis=1), 0))
    quats = np.column_stack([real, vector * [1, -1, -1]])
    along = np.abs((quats * torch.nn.functional.normalize(rest.quats, dim=1).numpy()).sum(axis=1))
    assert along.min() > 0.995
    signs = np.array([-1, -1, 1, -1, 1, 1, -1, 1])[:, None]
    np.testing.assert_allclose((harmonics.reshape(-1, 8, 3) - 128) / 128 * signs, rest.sh[:, 1:], atol=0.07)


def test_nothing_of_others_is_replaced(avatar: Avatar, tmp_path: Path) -> None:
    for name in ("mine.ply", "mine.spz"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(GaussianTalkerError, match="--force"):
            export_head(avatar, tmp_path / name)
        export_head(avatar, tmp_path / name, force=True)
        export_head(avatar, tmp_path / name)
