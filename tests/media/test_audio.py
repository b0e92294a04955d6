"""Sound of any rate and shape becomes 16 kHz mono that says the same."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from gaussiantalker.errors import GaussianTalkerError
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


def test_resample_mixes_channels() -> None:
    stereo = np.stack([tone(48_000), -tone(48_000)], 1)
    assert np.abs(audio.resample(stereo, 48_000)).max() < 1e-6
    assert len(audio.resample(stereo, 48_000)) == SAMPLE_RATE


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello " * 100)
    video.write_video(tmp_path / "mute.mp4", [np.zeros((32, 32, 3), np.uint8)] * 3)
    for name, words in {"text.wav": "not sound", "mute.mp4": "has no sound", "x.wav": "does not exist"}.items():
        with pytest.raises(GaussianTalkerError, match=words):
            audio.read_audio(tmp_path / name)
