"""SyncNet's score by construction, its network by its sizes, its cepstra against torch and scipy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dct

from gaussiantalker.capture.face_track import POINTS, FaceTrack
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.syncnet import SIDE, SyncNet, _face_crops, _mfcc, _sync_score

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(-12, 12))
def test_the_offset_is_found_and_the_distance_vanishes(seed: int, shift: int) -> None:
    lips = np.random.default_rng(seed).normal(size=(90, 16))
    found = _sync_score(lips, np.roll(lips, shift, axis=0))
    assert found.offset == -shift
    # Only the rows that the shift has rolled round the end disagree.
    assert found.distance <= abs(shift) / 90 * 12 + 1e-3
    assert found.confidence > 3


@given(seeds)
def test_unrelated_streams_have_no_confidence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = _sync_score(rng.normal(size=(200, 64)), rng.normal(size=(200, 64)))
    assert 0 <= found.confidence < 0.6


def test_both_streams_end_in_1024_dimensions_and_scoring_is_the_same_twice() -> None:
    torch.manual_seed(0)
    net = SyncNet().eval()
    with torch.inference_mode():
        assert net.lips(torch.zeros(1, 3, 5, SIDE, SIDE)).shape == (1, 1024)
        assert net.sound(torch.zeros(2, 1, 13, 20)).shape == (2, 1024)


def test_weights_are_read_from_a_file_and_others_refused(tmp_path: Path) -> None:
    torch.save(SyncNet().state_dict(), tmp_path / "syncnet_v2.model")
    assert isinstance(SyncNet.load(tmp_path / "syncnet_v2.model"), SyncNet)
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.model")
    (tmp_path / "text.model").write_text("not weights")
    for name, sentence in (("other", "does not hold"), ("text", "does not hold"), ("missing", "does not exist")):
        with pytest.raises(GaussianTalkerError, match=sentence):
            SyncNet.load(tmp_path / f"{name}.model")


def test_short_clips_are_refused() -> None:
    track = FaceTrack(np.ones((50, POINTS, 2)), np.zeros((50, 52)))
    with pytest.raises(GaussianTalkerError, match="at least 100 frames"):
        SyncNet().eval().score(np.zeros((50, 8, 8, 3), np.uint8), track, np.zeros(50 * 640))


def test_crops_follow_the_face_and_are_grey_beyond_the_picture() -> None:
    points = np.random.default_rng(0).random((20, POINTS, 2)) * 20 + [2, 20]
    points[:, 0], points[:, 1] = (2, 20), (22, 40)
    points[7] = np.nan
    pictures = np.full((20, 60, 60, 3), 200, np.uint8)
    crops = _face_crops(pictures, FaceTrack(points, np.zeros((20, 52))))
    assert crops.shape == (20, SIDE, SIDE, 3)
    assert (crops[7] == crops[6]).all()
    assert crops[0][0, 0].tolist() == [110] * 3 and crops[0][100, 200].tolist() == [200] * 3


@given(seeds, st.integers(1, 3000))
def test_cepstra_come_every_ten_milliseconds(seed: int, samples: int) -> None:
    sound = np.random.default_rng(seed).normal(0, 1000, samples)
    rows = _mfcc(sound)
    assert rows.shape == (1 + max(0, -(-(samples - 400) // 160)), 13)
    assert np.isfinite(rows).all()


def test_the_first_number_is_the_energy_and_silence_is_finite() -> None:
    assert np.isfinite(_mfcc(np.zeros(1600))).all()
    sound = np.random.default_rng(0).normal(0, 1000, 4000)
    louder = _mfcc(2 * sound) - _mfcc(sound)
    assert louder[:, 0] == pytest.approx(np.full(len(louder), 2 * np.log(2)), abs=1e-6)
    assert louder[:, 1:] == pytest.approx(0, abs=1e-6)


def test_cepstra_are_the_cosine_transform_of_mel_bands() -> None:
    """A tone at 1 kHz excites the bands about 1 kHz: the inverse transform must have its peak there."""
    tone = 8000 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    rows = _mfcc(tone)[5:-5]
    unlifted = rows / (1 + 11 * np.sin(np.pi * np.arange(13) / 22))
    unlifted[:, 0] = 0
    bands = dct(np.pad(unlifted, ((0, 0), (0, 13))), type=3, norm="ortho")
    centres = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 28)[1:-1] / 2595) - 1)
    assert abs(centres[bands.mean(axis=0).argmax()] - 1000) < 150
