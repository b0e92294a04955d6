"""Sound of any rate and shape becomes 16 kHz mono that says the same."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaussiantalker.errors import Failure, GaussianTalkerError
from gaussiantalker.media import audio, video
from gaussiantalker.timing import SAMPLE_RATE


def tone(rate: int, seconds: float = 1.0, frequency: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_any_rate_becomes_16_khz(tmp_path: Path, rate: int, ending: str) -> None:
    soundfile.write(tmp_path / f"a.{ending}", np.stack([tone(rate), tone(rate)], 1), rate)
    samples = audio.read_audio(tmp_path / f"a.{ending}")
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert len(samples) == pytest.approx(SAMPLE_RATE, abs=400)
    middle = slice(4000, 12000)
    assert np.abs(samples[middle] - tone(SAMPLE_RATE)[middle]).max() < 0.03


def test_wav_returns_what_was_written(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-1.2, 1.2, 5000).astype(np.float32)
    audio.write_wav(tmp_path / "a.wav", samples)
    assert np.abs(audio.read_audio(tmp_path / "a.wav") - np.clip(samples, -1, 1)).max() < 1e-4


@given(length=st.integers(0, 3 * SAMPLE_RATE))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_copy_has_just_the_length_that_was_wanted(tmp_path: Path, length: int) -> None:
    samples = (0.3 * np.random.default_rng(0).normal(size=2 * SAMPLE_RATE)).clip(-1, 1).astype(np.float32)
    audio.write_wav(tmp_path / "a.wav", samples)
    assert audio.copy_wav(tmp_path / "a.wav", tmp_path / "b.wav", length) == len(samples)
    copied = soundfile.read(tmp_path / "b.wav", dtype="float32")[0]
    whole = np.pad(audio.read_audio(tmp_path / "a.wav"), (0, SAMPLE_RATE))
    assert np.abs(copied - whole[:length]).max(initial=0) < 1e-4 and len(copied) == length


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_wav_that_meets_a_full_disk_is_not_there(tmp_path: Path) -> None:
    (tmp_path / f".a.{os.getpid()}.partial.wav").symlink_to("/dev/full")
    with pytest.raises(Failure, match=f"{tmp_path} is full: make room"):
        audio.write_wav(tmp_path / "a.wav", tone(16_000))
    assert not any(tmp_path.iterdir())


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello " * 100)
    video.write_video(tmp_path / "mute.mp4", [np.zeros((32, 32, 3), np.uint8)] * 3)
    for name, words in {"text.wav": "not sound", "mute.mp4": "has no sound", "x.wav": "does not exist"}.items():
        with pytest.raises(GaussianTalkerError, match=words):
            audio.read_audio(tmp_path / name)


@pytest.mark.parametrize("samples", (-9, -2, 0, 2, 9))
def test_delaying_keeps_the_length(samples: int) -> None:
    sound = np.arange(1.0, 6.0)
    later = {-9: [0] * 5, -2: [3, 4, 5, 0, 0], 0: sound, 2: [0, 0, 1, 2, 3], 9: [0] * 5}
    np.testing.assert_array_equal(audio.delayed(sound, samples), later[samples])
