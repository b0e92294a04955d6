"""Pictures are made on the avatar's device alone: `speak`, `serve` and `evaluate` ask for them in these ways."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bodies import a_torso
from hearing import a_listener
from one_device import META, OneDevice, rasterize

from gaussiantalker.geometry import Camera
from gaussiantalker.speaking import Avatar, Motion, Steering
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import METHODS, Talker, find_method

SIZE, FRAMES = 24, 6
CAMERA = Camera(70.0, SIZE / 2, SIZE / 2, SIZE, SIZE)


def an_avatar(method: str, torso: bool) -> Avatar:
    rng = np.random.default_rng(0)
    listener = a_listener(method)
    talker = Talker(find_method(method), Gaussians.from_points(rng.normal(size=(20, 3)), sh_degree=1), 6)
    poses = np.tile(np.eye(3), (FRAMES, 1, 1)), np.tile([0.0, 0, 8], (FRAMES, 1))
    motion = Motion(*poses, np.linspace(0, 1, FRAMES))
    plates, body = np.full((FRAMES, SIZE, SIZE, 3), 90, np.uint8), None
    if torso:
        plates, body = None, a_torso(SIZE)
    return Avatar({"method": method}, talker.eval(), listener, CAMERA, motion, plates, body)


@pytest.mark.parametrize("torso", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_pictures_are_made_where_the_avatar_is(method: str, torso: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    avatar = an_avatar(method, torso)
    avatar.talker.to(META)
    if avatar.torso:
        avatar.torso.to(META)
    monkeypatch.setattr("gaussiantalker.talker.talker.rasterize", rasterize)
    reader = SimpleNamespace(
        read=lambda picture, labels: torch.zeros(avatar.torso.numbers)
    )  # what it reads needs values
    monkeypatch.setattr("gaussiantalker.talker.footage.Reader", lambda torso: reader)
    capture = SimpleNamespace(
        tracking=SimpleNamespace(
            rotations=avatar.motion.rotations,
            translations=avatar.motion.translations,
            blink=avatar.motion.blink,
            landmarks=np.random.default_rng(0).random((FRAMES, 478, 2)) * SIZE,
        ),
        camera=CAMERA,
        size=SIZE,
        audio=np.zeros(FRAMES * 640, np.float32),
        plates=np.full((FRAMES, SIZE, SIZE, 3), 90, np.uint8),
        labels=np.full((FRAMES, SIZE, SIZE), 3, np.uint8),
    )
    heard = avatar.listener.hear(capture.audio)
    with OneDevice():
        pictures = [*avatar.perform(heard, 0), *avatar.perform(heard, 0, Steering())]
        pictures += avatar.render_capture(capture, range(FRAMES))
    assert len(pictures) == 3 * FRAMES and all(picture.shape == (SIZE, SIZE, 3) for picture in pictures)


def test_an_avatar_is_saved_from_its_device(tmp_path) -> None:
    avatar = an_avatar("gaussiantalker-star", torso=True)
    avatar.talker.to(META), avatar.torso.to(META)
    with OneDevice():
        avatar.save(tmp_path / "avatar")
    assert (tmp_path / "avatar" / "avatar.json").is_file()
