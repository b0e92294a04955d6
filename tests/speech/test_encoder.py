import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker import speech
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.timing import frame_count


def in_pieces(encoder, audio, sizes, rate=16_000):
    stream, rows, start, i = encoder.stream(), [], 0, 0
    while start < len(audio):
        size = sizes[i % len(sizes)]
        rows.append(stream.push(audio[start : start + size], rate))
        start, i = start + size, i + 1
    return np.concatenate([*rows, stream.finish()])


@pytest.fixture(params=["logmel", "tiny"])
def encoder(request):
    return speech.load("logmel") if request.param == "logmel" else request.getfixturevalue("tiny")


@given(sizes=st.lists(st.integers(0, 9_000), min_size=1, max_size=6).filter(any))
@settings(max_examples=15, deadline=None)
def test_any_chunking_gives_the_offline_rows(tiny, babble, sizes):
    for encoder in (tiny, speech.load("logmel")):
        np.testing.assert_allclose(in_pieces(encoder, babble, sizes), encoder.features(babble), atol=1e-4)


@given(samples=st.integers(1, 40_000))
@settings(max_examples=25, deadline=None)
def test_two_rows_for_every_started_frame(tiny, babble, samples):
    audio = np.resize(babble, samples)
    for encoder in (tiny, speech.load("logmel")):
        rows = encoder.features(audio)
        assert rows.shape == (2 * frame_count(samples), encoder.channels)
        assert rows.dtype == np.float32


def test_no_sound_gives_no_rows(encoder):
    assert encoder.features(np.zeros(0, np.float32)).shape == (0, encoder.channels)


def test_rows_come_within_the_declared_lookahead(encoder, babble):
    stream, ready = encoder.stream(), 0
    for sample in range(0, len(babble), 160):
        ready += len(stream.push(babble[sample : sample + 160]))
        due = (sample + 160 - encoder.lookahead_ms * 16) // 320 + 1
        assert ready >= due


def test_sound_beyond_the_lookahead_changes_nothing(encoder, babble):
    row = 60
    changed = babble.copy()
    changed[int(320 * row + encoder.lookahead_ms * 16) + 1 :] = 0.5
    assert np.array_equal(encoder.features(babble)[: row + 1], encoder.features(changed)[: row + 1])
    assert not np.array_equal(encoder.features(babble), encoder.features(changed))


def test_silence_gives_the_same_row_again_and_again(encoder):
    rows = encoder.features(np.zeros(32_000, np.float32))
    period = 2 * (encoder.blocks.hop if encoder.name == "whisper" else 1)
    np.testing.assert_allclose(rows[period:], rows[:-period], atol=1e-5)


def test_the_same_sound_later_gives_the_same_rows_later(encoder, babble):
    shift = 16  # rows: a multiple of the hop
    late = np.concatenate([np.zeros(320 * shift, np.float32), babble])
    np.testing.assert_allclose(encoder.features(late)[shift + 40 :], encoder.features(babble)[40:], atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_stream_like_the_resampled_whole(rate, babble):
    import soxr

    encoder = speech.load("logmel")
    audio = soxr.resample(babble, 16_000, rate)
    rows = in_pieces(encoder, audio, [701, 33], rate)
    assert len(rows) == 2 * frame_count(len(babble))
    np.testing.assert_allclose(rows, in_pieces(encoder, audio, [len(audio)], rate), atol=1e-4)
    if rate > 16_000:
        assert np.abs(rows[4:-4] - encoder.features(babble)[4:-4]).mean() < 0.02


@pytest.mark.parametrize(
    ("pcm", "word"),
    [
        (np.zeros((10, 2)), "mono"),
        (np.array([0.0, np.nan]), "not numbers"),
        (np.zeros(10, np.int64), "int64"),
        (np.array([0.0, 12_000.0]), "as large as 12,000"),
    ],
)
def test_sound_that_is_none_is_refused_in_a_sentence(pcm, word):
    with pytest.raises(GaussianTalkerError, match=word):
        speech.load("logmel").features(pcm)


def test_a_stream_keeps_its_rate():
    stream = speech.load("logmel").stream()
    stream.push(np.zeros(100), 48_000)
    with pytest.raises(GaussianTalkerError, match="changed from 48000 to 8000"):
        stream.push(np.zeros(100), 8_000)
    with pytest.raises(GaussianTalkerError, match="not a rate for speech"):
        speech.load("logmel").stream().push(np.zeros(100), 7)


def test_integers_are_the_same_sound(babble):
    encoder = speech.load("logmel")
    integers = np.round(babble * 32768).astype(np.int16)
    assert np.array_equal(encoder.features(integers), encoder.features(integers.astype(np.float32) / 32768))


def test_an_unknown_encoder_is_refused_with_the_choice():
    with pytest.raises(GaussianTalkerError, match="whisper, whisper-early, logmel"):
        speech.load("deepspeak")


def test_a_stream_keeps_no_more_than_one_block(tiny, babble):
    stage = tiny.stage()
    for _ in range(5):
        stage.push(babble)
        assert len(stage._items) < 2 * tiny.blocks.rows
        assert len(stage._front.__self__._pending) < 400


def test_pieces_are_the_features(encoder, babble):
    long = np.tile(babble, 7)
    pieces = list(encoder.pieces(long))
    assert len(pieces) == 3
    assert np.array_equal(np.concatenate(pieces), encoder.features(long))


def test_one_sound_in_many_shapes():
    from gaussiantalker.speech.samples import checked

    sound = np.linspace(-0.5, 0.5, 50)
    for form in (sound, sound[None], sound[:, None], np.round(sound * 32768).astype(np.int16)):
        samples = checked(form)
        assert samples.dtype == np.float32 and samples.shape == (50,)
        np.testing.assert_allclose(samples, sound, atol=1e-4)
