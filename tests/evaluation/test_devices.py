"""What a report shows of a talker's insides is computed on the talker's device and arrives here."""

import numpy as np
import pytest
import torch
from hearing import something_heard
from one_device import META, OneDevice, rasterize

from gaussiantalker.evaluation import insight
from gaussiantalker.geometry import Camera
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import METHODS, Drive, Talker, find_method
from gaussiantalker.talker.drive import AUDIO, EYE

CAMERA = Camera(focal=120.0, cx=12.0, cy=12.0, width=24, height=24)


@pytest.mark.parametrize("name", METHODS)
def test_maps_and_planes_are_made_where_the_talker_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gaussians = Gaussians.from_points(np.random.default_rng(0).normal(size=(20, 3)), sh_degree=1)
    talker = Talker(find_method(name), gaussians, speech_channels=4).to(META).eval()
    conditions = {AUDIO: something_heard(name, 2, 4), EYE: torch.rand(2)}
    drive = Drive(conditions, torch.eye(4).repeat(2, 1, 1), torch.arange(2)).to(META)
    monkeypatch.setattr(insight, "rasterize", rasterize)
    with OneDevice():
        maps, planes = insight.attention_maps(talker, CAMERA, drive), insight.plane_pictures(talker)
    assert all(picture.shape == (24, 24) for found in maps for picture in found.maps.values())
    assert planes and all(isinstance(picture, np.ndarray) for _, picture in planes)
