"""What is heard is the same however the sound is divided, and nothing is heard in silence."""

from dataclasses import replace

import numpy as np
from hearing import a_mouth_listener
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.speech.logmel import LogMel
from gaussiantalker.speech.windows import LOOKAHEADS_MS, PAPERS_LOOKAHEAD_MS
from gaussiantalker.talker import Listener, WindowListener, mouth_listener
from gaussiantalker.talker.mouth_reader import padded, read_windows
from gaussiantalker.timing import SAMPLE_RATE, SAMPLES_PER_FRAME, frame_count


def a_listener(lookahead_ms: int = PAPERS_LOOKAHEAD_MS) -> WindowListener:
    audio = np.random.default_rng(0).normal(scale=0.1, size=3 * SAMPLE_RATE).astype(np.float32)
    return WindowListener.fit(LogMel(), audio, channels=5, lookahead_ms=lookahead_ms)


LISTENERS = {ahead: a_listener(ahead) for ahead in LOOKAHEADS_MS}
LISTENER = LISTENERS[PAPERS_LOOKAHEAD_MS]
READERS = [a_mouth_listener(ahead) for ahead in mouth_listener.LOOKAHEADS_MS]


@settings(max_examples=20, deadline=None)
@given(
    listener=st.sampled_from([*LISTENERS.values(), *READERS]),
    samples=st.integers(0, 20_000),
    pieces=st.lists(st.integers(1, 5_000), max_size=12),
    seed=st.integers(0, 99),
)
def test_any_division_gives_the_same_in_time(listener: Listener, samples: int, pieces: list[int], seed: int) -> None:
    audio = np.random.default_rng(seed).normal(scale=0.1, size=samples).astype(np.float32)
    stream, given_out, start = listener.stream(), [], 0
    for piece in [*pieces, samples]:
        given_out.append(stream.push(audio[start : start + piece]))
        start = min(start + piece, samples)
        ready = (start - listener.lookahead) // SAMPLES_PER_FRAME + 1
        assert sum(map(len, given_out)) >= ready, "what the look-ahead promises is there"
    given_out.append(stream.finish())
    streamed = np.concatenate(given_out)
    assert len(streamed) == frame_count(samples)
    if samples:
        np.testing.assert_allclose(streamed, listener.hear(audio), atol=1e-4)


def test_silence_is_zero() -> None:
    """Noise below the gate must not reach the talker: it is what lies before and after all sound, exactly."""
    noise = np.random.default_rng(1).normal(scale=1e-5, size=SAMPLE_RATE).astype(np.float32)
    rows = LISTENER.rows(noise)
    assert not rows.any()
    assert LISTENER.projection.apply(LISTENER.encoder.features(noise)).any(), "the encoder must have heard something"


def test_a_shorter_look_ahead_answers_sooner() -> None:
    samples = [LISTENERS[ahead].lookahead for ahead in sorted(LOOKAHEADS_MS)]
    assert samples == sorted(set(samples)) and samples[0] >= SAMPLES_PER_FRAME
    assert LISTENER.own == 4 and LISTENERS[0].own == LISTENERS[120].own == 7
    readers = [listener.lookahead for listener in READERS]
    assert readers == sorted(set(readers)) and readers[-1] < samples[-1]


def test_a_mouth_reader_hears_so_far_ahead_and_no_further() -> None:
    """Rows of the encoder reach on; what of them tells on a frame ends where the look-ahead says."""
    for listener in READERS:
        rows = np.ones((60, listener.encoder.channels), np.float32)
        changed = rows.copy()
        changed[31] = 3
        codes = [
            listener.reader(read_windows(padded(r, listener.last_row), listener.last_row)) for r in (rows, changed)
        ]
        differs = np.flatnonzero((codes[0] != codes[1]).any(axis=1))
        first = (31 - listener.last_row + 1) // 2
        assert differs.min() == first and differs.max() == (31 + 4) // 2
        assert 20 * (31 + 1) <= 40 * first + listener.lookahead_ms + 20


def test_a_mouth_in_silence_is_shut_and_still() -> None:
    """Exactly, and with an ease: speech fades in and out of the code."""
    listener = READERS[-1]
    sound = np.concatenate(
        [np.zeros(16_000), np.random.default_rng(0).normal(scale=0.1, size=16_000), np.zeros(16_000)]
    )
    codes = listener.hear(sound.astype(np.float32))
    assert not codes[:15].any() and not codes[-15:].any() and np.abs(codes[30:45]).max(axis=1).min() > 0.01
    heard = codes[40]
    for _ in range(12):
        after = listener.fading(heard)
        assert np.abs(after).max() <= np.abs(heard).max()
        heard = after
    assert not heard.any(), "a mouth comes to rest"


def test_a_films_lag_is_taken_back() -> None:
    audio = np.random.default_rng(0).normal(scale=0.1, size=20_000).astype(np.float32)
    late = replace(READERS[0], lips_late=640)
    np.testing.assert_allclose(late.hear_film(audio)[5:-8], READERS[0].hear(audio)[4:-9], atol=1e-4)
