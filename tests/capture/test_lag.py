"""Sound that was shifted against the lips is noticed, with its sign."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.capture.sync import lip_lag
from gaussiantalker.capture.tracking import lip_opening
from gaussiantalker.media import audio, video
from gaussiantalker.timing import SAMPLES_PER_FRAME

SAMPLE = Path(__file__).parents[2] / "samples" / "speaker.mp4"
FRAMES = 300


@pytest.fixture(scope="module")
def sample(model: object) -> tuple[np.ndarray, np.ndarray]:
    """Lip opening [N] and sound [640 N] of the first seconds of the speaker that comes with the package."""
    model("face-landmarker")
    landmarker = Landmarker(track=True)
    faces = [landmarker.detect(frame) for frame in islice(video.read_frames(SAMPLE), FRAMES)]
    lips = lip_opening(np.stack([face.points[:, :2] for face in faces]))
    return lips, audio.read_audio(SAMPLE)[: FRAMES * SAMPLES_PER_FRAME]


@pytest.mark.parametrize("frames", [-3, 0, 3])
def test_a_shift_of_three_frames_is_seen_on_the_sample(sample: tuple[np.ndarray, np.ndarray], frames: int) -> None:
    lips, sound = sample
    lag = lip_lag(lips, np.roll(sound, -frames * SAMPLES_PER_FRAME))
    assert abs(lag.frames - frames) < 0.9 and lag.agreement > 0.6, "earlier sound leads"


def drawn(seed: int, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Lips that open at random, and noise that is as loud as they are open."""
    rng = np.random.default_rng(seed)
    lips = np.clip(np.convolve(rng.normal(0, 1, count + 8), np.ones(9) / 3, "valid"), 0, None)
    return lips, (np.repeat(lips, SAMPLES_PER_FRAME) * rng.normal(0, 0.1, count * SAMPLES_PER_FRAME)).astype(np.float32)


@pytest.mark.parametrize("frames", [-9, -1, 0, 4])
def test_shift_is_exact_where_lips_and_sound_are_one(frames: int) -> None:
    lips, sound = drawn(0)
    lag = lip_lag(lips, np.roll(sound, -frames * SAMPLES_PER_FRAME))
    assert abs(lag.frames - frames) < 0.4 and lag.agreement > 0.7


def test_what_does_not_belong_together_does_not_agree() -> None:
    assert abs(lip_lag(drawn(1)[0], drawn(2)[1]).agreement) < 0.4


def test_nothing_is_told_of_silence_still_lips_or_a_moment() -> None:
    lips, sound = drawn(0)
    assert lip_lag(lips, 0 * sound) is None and lip_lag(0 * lips, sound) is None
    assert lip_lag(lips[:20], sound[: 20 * SAMPLES_PER_FRAME]) is None
    assert lip_lag(lips, sound[: len(sound) // 2]) is not None, "sound that ends early is silence from there on"
