"""Speech contexts are the same however the sound is divided."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.speaking.contexts import ContextStream, lookahead, own
from gaussiantalker.speech.logmel import LogMel
from gaussiantalker.speech.windows import LOOKAHEADS_MS, PAPERS_LOOKAHEAD_MS
from gaussiantalker.talker import Listener
from gaussiantalker.timing import SAMPLE_RATE, SAMPLES_PER_FRAME, frame_count


def a_listener(lookahead_ms: int = PAPERS_LOOKAHEAD_MS) -> Listener:
    audio = np.random.default_rng(0).normal(scale=0.1, size=3 * SAMPLE_RATE).astype(np.float32)
    return Listener.fit(LogMel(), audio, channels=5, lookahead_ms=lookahead_ms)


LISTENERS = {ahead: a_listener(ahead) for ahead in LOOKAHEADS_MS}
LISTENER = LISTENERS[PAPERS_LOOKAHEAD_MS]


@settings(max_examples=20, deadline=None)
@given(
    ahead=st.sampled_from([*LOOKAHEADS_MS]),
    samples=st.integers(0, 20_000),
    pieces=st.lists(st.integers(1, 5_000), max_size=12),
    seed=st.integers(0, 99),
)
def test_any_division_gives_the_offline_contexts_in_time(
    ahead: int, samples: int, pieces: list[int], seed: int
) -> None:
    listener = LISTENERS[ahead]
    audio = np.random.default_rng(seed).normal(scale=0.1, size=samples).astype(np.float32)
    stream, given_out, start = ContextStream(listener), [], 0
    for piece in [*pieces, samples]:
        given_out.append(stream.push(audio[start : start + piece]))
        start = min(start + piece, samples)
        ready = (start - lookahead(listener)) // SAMPLES_PER_FRAME + 1
        assert sum(map(len, given_out)) >= ready, "what the look-ahead promises is there"
    given_out.append(stream.finish())
    streamed = np.concatenate(given_out)
    assert len(streamed) == frame_count(samples)
    if samples:
        np.testing.assert_allclose(streamed, listener.contexts(audio), atol=1e-4)


def test_silence_is_zero() -> None:
    """Noise below the gate must not reach the talker: it is what lies before and after all sound, exactly."""
    noise = np.random.default_rng(1).normal(scale=1e-5, size=SAMPLE_RATE).astype(np.float32)
    rows = LISTENER.rows(noise)
    assert not rows.any()
    assert LISTENER.projection.apply(LISTENER.encoder.features(noise)).any(), "the encoder must have heard something"


def test_a_shorter_look_ahead_answers_sooner() -> None:
    samples = [lookahead(LISTENERS[ahead]) for ahead in sorted(LOOKAHEADS_MS)]
    assert samples == sorted(set(samples)) and samples[0] >= SAMPLES_PER_FRAME
    assert own(LISTENER) == 4 and own(LISTENERS[0]) == own(LISTENERS[120]) == 7
