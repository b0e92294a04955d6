"""Attention maps and feature planes of small talkers whose insides are known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from gaussiantalker.evaluation.insight import attention_maps, plane_pictures
from gaussiantalker.geometry import Camera
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, Drive, Talker, find_method

CAMERA = Camera(focal=120.0, cx=24.0, cy=24.0, width=48, height=48)


def a_talker(method: str, points: int = 300) -> Talker:
    """Points all over a ball."""
    torch.manual_seed(0)
    places = np.random.default_rng(0).normal(size=(points, 3))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    return Talker(find_method(method), Gaussians.from_points(places, sh_degree=1), speech_channels=6).eval()


def a_drive(frames: int) -> Drive:
    viewmats = torch.eye(4).repeat(frames, 1, 1)
    viewmats[:, 2, 3] = 8
    return Drive({AUDIO: torch.randn(frames, 8, 16, 6), EYE: torch.rand(frames)}, viewmats, 7 + torch.arange(frames))


@pytest.mark.parametrize("method", ["gaussiantalker", "gaussiantalker-star/without-eye", "egstalker"])
def test_there_is_a_map_for_every_condition_of_every_frame(method: str) -> None:
    talker = a_talker(method)
    found = attention_maps(talker, CAMERA, a_drive(2))
    assert [attention.frame for attention in found] == [7, 8]
    for attention in found:
        assert tuple(attention.maps) == talker.method.conditions
        assert sum(attention.shares.values()) == pytest.approx(1, abs=1e-5)
        assert all(picture.shape == (48, 48) and picture.dtype == np.uint8 for picture in attention.maps.values())
        assert all(picture.max() > 0 and picture[0, 0] == 0 for picture in attention.maps.values())


def test_what_listens_is_bright_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    talker = a_talker("gaussiantalker-star")
    talker.raw["opacity_logits"].data.fill_(4.0)
    left = (talker.raw["means"][:, 0] < 0).float()

    def attention(drive: Drive) -> Tensor:
        """The left half listens to the sound a little more, the right half to the camera."""
        weights = torch.stack([0.2 + 0.1 * left, 0.3 + 0 * left, 0.3 - 0.1 * left, 0.2 + 0 * left])
        return weights[None].expand(len(drive.viewmats), -1, -1)

    monkeypatch.setattr(talker, "attention", attention)
    (found,) = attention_maps(talker, CAMERA, a_drive(1))
    audio, camera = (found.maps[name].astype(float) for name in ("audio", "camera"))
    assert audio[20:28, 11:15].mean() > 5 * audio[20:28, 33:37].mean()
    assert camera[20:28, 33:37].mean() > 5 * camera[20:28, 11:15].mean()
    assert found.maps["eye"].max() == 0, "all alike is the least there is"


def test_a_fusion_that_weighs_nothing_has_no_maps() -> None:
    assert attention_maps(a_talker("gaussiantalker-star/concatenation"), CAMERA, a_drive(1)) == []


@pytest.mark.parametrize(("method", "count"), [("gaussiantalker-star", 6), ("gstalker", 3)])
def test_planes_of_both_encodings_can_be_seen(method: str, count: int) -> None:
    pictures = plane_pictures(a_talker(method))
    assert len(pictures) == count and len({caption for caption, _ in pictures}) == count
    for _, picture in pictures:
        assert picture.dtype == np.uint8 and picture.shape == (*picture.shape[:2], 3)
        assert picture.std() > 5


def test_planes_stand_as_a_drawing_does() -> None:
    """What depends on y alone changes downwards, seen from the front and from the side."""
    talker = a_talker("gaussiantalker-star", points=8_000)
    for level in talker.triplane.planes:
        size = level.shape[1]
        ramp = torch.linspace(0, 1, size)
        level.data = level.data * 1e-3
        level.data[0] += ramp[:, None, None]  # xy: rows are y
        level.data[2] += ramp[None, :, None]  # yz: columns are y
    front, _, side = (picture.astype(float) for _, picture in plane_pictures(talker)[:3])
    for picture in (front, side):
        middle = picture[24:40, 24:40, 0]  # red is the direction that varies most
        assert np.abs(np.diff(middle.mean(axis=1))).mean() > 3 * np.abs(np.diff(middle.mean(axis=0))).mean()
