"""Whatever file is given as sound: right features, or one sentence that says what is wrong with it."""

import av
import numpy as np
import pytest
import soundfile
import soxr

from gaussiantalker import speech
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.audio import read_audio
from gaussiantalker.media.video import write_video
from gaussiantalker.speech.blocks import BlockEncoder, Blocks
from gaussiantalker.speech.encoder import SAMPLES_PER_ROW
from gaussiantalker.timing import SAMPLE_RATE, frame_count


@pytest.fixture(scope="module")
def sound(babble):
    """A sound and its rows."""
    return babble, speech.load("logmel").features(babble)


def heard(path):
    audio = read_audio(path)
    rows = speech.load("logmel").features(audio)
    assert audio.dtype == np.float32 and audio.ndim == 1
    assert rows.shape == (2 * frame_count(len(audio)), 80) and np.isfinite(rows).all()
    return rows


def alike(rows, truth):
    """Correlation of the bands below 3 kHz, over the rows both have."""
    common = min(len(rows), len(truth))
    return np.corrcoef(rows[:common, :45].ravel(), truth[:common, :45].ravel())[0, 1]


def encode(path, samples, codec, rate):
    """A file of one codec, in the container that its ending names."""
    resampled = soxr.resample(samples, SAMPLE_RATE, rate)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        converter = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.frame_size or 1024)
        whole = av.AudioFrame.from_ndarray(resampled[None], format="fltp", layout="mono")
        whole.sample_rate = rate
        for frame in [*converter.resample(whole), *converter.resample(None), None]:
            container.mux(stream.encode(frame))


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp3", "libmp3lame", 44_100),
        ("a.m4a", "aac", 44_100),
        ("a.opus", "libopus", 48_000),
        ("a.flac", "flac", 16_000),
        ("a.webm", "libopus", 48_000),
    ],
)
def test_compressed_sound_says_the_same(name, codec, rate, sound, tmp_path):
    babble, truth = sound
    encode(tmp_path / name, babble, codec, rate)
    rows = heard(tmp_path / name)
    assert abs(len(rows) - len(truth)) <= 8, "no codec adds more than its padding"
    assert alike(rows, truth) > 0.9


@pytest.mark.parametrize(("rate", "channels"), [(192_000, 1), (48_000, 7), (8_000, 2), (192_000, 7)])
def test_any_rate_and_number_of_channels_says_the_same(rate, channels, sound, tmp_path):
    babble, truth = sound
    samples = soxr.resample(babble, SAMPLE_RATE, rate)
    soundfile.write(tmp_path / "a.wav", np.repeat(samples[:, None], channels, axis=1), rate)
    rows = heard(tmp_path / "a.wav")
    assert len(rows) == len(truth)
    assert alike(rows, truth) > 0.97


def test_a_video_is_heard(sound, tmp_path):
    babble, truth = sound
    write_video(tmp_path / "a.mp4", [np.zeros((32, 32, 3), np.uint8)] * frame_count(len(babble)), babble)
    assert alike(heard(tmp_path / "a.mp4"), truth) > 0.9


def test_samples_that_are_no_numbers_are_silence_in_a_file_and_an_error_in_an_array(sound, tmp_path):
    babble, truth = sound
    broken = babble.copy()
    broken[20_000:20_100] = np.nan
    broken[30_000] = np.inf
    soundfile.write(tmp_path / "a.wav", broken, SAMPLE_RATE, subtype="FLOAT")
    rows = heard(tmp_path / "a.wav")
    before = 20_000 // 320 - 2
    np.testing.assert_allclose(rows[:before], truth[:before], atol=1e-3)
    with pytest.raises(GaussianTalkerError, match="not numbers"):
        speech.load("logmel").features(broken)
    with pytest.raises(GaussianTalkerError, match="not numbers"):
        speech.voiced(broken)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty.wav", "is empty; give a"),
        ("no_samples.wav", "is empty; give a file with sound"),
        ("text.mp3", "is not sound that can be read"),
        ("noise.webm", "is not sound that can be read"),
        ("mute.mp4", "has no sound"),
        ("missing.flac", "does not exist"),
        ("folder", "is a folder"),
    ],
)
def test_what_holds_no_sound_is_told_in_one_sentence(name, words, tmp_path):
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "no_samples.wav", np.zeros(0, np.float32), SAMPLE_RATE)
    (tmp_path / "text.mp3").write_text("A sentence that is no sound. " * 50)
    (tmp_path / "noise.webm").write_bytes(np.random.default_rng(0).bytes(5_000))
    write_video(tmp_path / "mute.mp4", [np.zeros((32, 32, 3), np.uint8)] * 3)
    (tmp_path / "folder").mkdir()
    with pytest.raises(GaussianTalkerError, match=words) as refused:
        read_audio(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_a_file_cut_short_gives_what_is_left_or_one_sentence(sound, tmp_path):
    encode(tmp_path / "whole.mp3", sound[0], "libmp3lame", 44_100)
    whole = (tmp_path / "whole.mp3").read_bytes()
    for size in (10, 400, len(whole) // 2):
        (tmp_path / "cut.mp3").write_bytes(whole[:size])
        try:
            assert len(heard(tmp_path / "cut.mp3")) <= len(sound[1]) + 8
        except GaussianTalkerError as error:
            assert "cut.mp3" in str(error)


class Loudness(BlockEncoder):
    """The scheme of the large encoders around next to nothing."""

    name, channels, blocks = "loudness", 1, Blocks(left=2, hop=10, right=3)

    def encode(self, blocks):
        kept = blocks[:, 2 * SAMPLES_PER_ROW : 12 * SAMPLES_PER_ROW]
        return np.abs(kept.reshape(len(blocks), 10, -1)).max(axis=2, keepdims=True)


def test_three_hours_pass_through_in_bounded_memory():
    """What is kept between pieces does not grow, in the scheme of blocks, the mel stage and the gate."""
    minute, stream, rows = np.full(60 * SAMPLE_RATE, 0.5, np.float32), Loudness().stream(), 0
    for _ in range(180):
        loudness = stream.push(minute)
        rows += len(loudness)
        assert (loudness == 0.5).all() and len(stream._stage._items) < 25 * SAMPLES_PER_ROW
    assert rows + len(stream.finish()) == 2 * 25 * 3 * 3600
    logmel, gate = speech.load("logmel").stage(), speech.Gate()
    for _ in range(3):
        logmel.push(minute)
        gate.push(minute[: 10 * SAMPLE_RATE])
        assert len(logmel._mel._pending) < 400 and len(logmel._odd) < 2
        assert len(gate._spectra) < 4 and len(gate._levels) <= 75
