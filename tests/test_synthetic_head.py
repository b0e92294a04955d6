"""The synthetic head's truth agrees with its own pictures and sound."""

import numpy as np
import pytest
from synthetic_head import REGIONS, render_clip

SIZE = 128


@pytest.fixture(scope="module")
def clip():
    return render_clip(frames=50, size=SIZE, seed=3, pose="wide")


def test_shapes(clip):
    assert clip.video.shape == (50, SIZE, SIZE, 3) and clip.video.dtype == np.uint8
    assert clip.audio.shape == (2 * 16_000,) and clip.audio.dtype == np.float32
    assert np.abs(clip.audio).max() < 1
    assert clip.truth.head2world.shape == (50, 4, 4)


def test_same_seed_same_clip():
    first, again, other = (render_clip(frames=4, size=64, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.video, again.video) and np.array_equal(first.audio, again.audio)
    assert not np.array_equal(first.video, other.video)


def test_regions_cover_a_plausible_share_and_sit_in_order(clip):
    rows = np.arange(SIZE)[:, None]
    heights = []
    for name in ("head", "neck", "torso"):
        mask = clip.mask(name)
        assert 0.01 < mask.mean() < 0.5
        heights.append((mask * rows).sum() / mask.sum())
    assert heights == sorted(heights)
    assert sum(clip.mask(name) for name in REGIONS).max() == 1


@pytest.mark.parametrize("name", ["nose_tip", "forehead", "left_cheek", "right_cheek", "chin", "upper_lip"])
def test_projected_points_lie_on_the_head(clip, name):
    columns, rows = np.floor(clip.truth.project(name)).astype(int).T
    assert clip.mask("head")[np.arange(50), rows, columns].all()


def test_projection_finds_the_moving_pixels():
    """A head turned by the truth's rotation shows the same point at the projected place."""
    turns = np.radians([[0, 0, 0], [0, 18, 0], [6, -15, 4]])
    clip = render_clip(frames=3, size=256, pose=turns, expression="still")
    mouth = clip.truth.project("upper_lip")
    for picture, (x, y) in zip(clip.video.astype(float), mouth, strict=True):
        # lips are the reddest place of the lower face
        redness = picture[..., 0] - picture[..., 1]
        window = np.s_[int(y) - 20 : int(y) + 20, int(x) - 25 : int(x) + 25]
        reddest = redness[window] > np.quantile(redness[window], 0.92)
        found = np.argwhere(reddest).mean(0) + [int(y) - 20, int(x) - 25] + 0.5
        assert np.abs(found - [y, x]).max() < 5


def test_lips_follow_the_jaw():
    jaw = np.array([0.0, 0.1, 0.2, 0.4])
    lips = render_clip(frames=4, size=32, pose="still", expression={"jawOpen": jaw}).truth.lip_mm
    assert lips[0] < 1.0
    assert (np.diff(lips) > 1.5).all()


def test_shut_mouth_is_silent_and_open_mouth_is_not(clip):
    loudness = np.sqrt((clip.audio.reshape(50, -1).astype(float) ** 2).mean(1))
    shut, wide = clip.truth.lip_mm < 0.8, clip.truth.lip_mm > 8
    assert shut.sum() > 3 and wide.sum() > 3
    assert loudness[shut].max() < 0.01 < loudness[wide].min()


def test_torso_keeps_still(clip):
    torso = clip.mask("torso").all(0)
    torso[: int(0.92 * SIZE)] = False
    assert clip.video[:, torso].astype(float).std(0).mean() < 4


def test_blink_hides_the_iris():
    shut = np.array([0.0, 1.0])
    clip = render_clip(2, 256, pose="still", expression={"eyeBlinkLeft": shut, "eyeBlinkRight": shut})
    eyes = clip.video[:, 110:130, 80:176].astype(float)
    blueness = (eyes[..., 2] - eyes[..., 0]).max((1, 2))
    assert blueness[0] > blueness[1] + 10
