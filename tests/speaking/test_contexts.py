"""Speech contexts are the same however the sound is divided."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker import speech
from gaussiantalker.speaking.contexts import ContextStream
from gaussiantalker.speech.logmel import LogMel
from gaussiantalker.talker import Listener
from gaussiantalker.timing import SAMPLE_RATE, frame_count


def a_listener() -> Listener:
    audio = np.random.default_rng(0).normal(scale=0.1, size=3 * SAMPLE_RATE).astype(np.float32)
    return Listener.fit(LogMel(), audio, channels=5)


LISTENER = a_listener()


@settings(max_examples=20, deadline=None)
@given(samples=st.integers(0, 20_000), pieces=st.lists(st.integers(1, 5_000), max_size=12), seed=st.integers(0, 99))
def test_any_division_gives_the_offline_contexts(samples: int, pieces: list[int], seed: int) -> None:
    audio = np.random.default_rng(seed).normal(scale=0.1, size=samples).astype(np.float32)
    stream, given_out, start = ContextStream(LISTENER), [], 0
    for piece in [*pieces, samples]:
        given_out.append(stream.push(audio[start : start + piece]))
        start = min(start + piece, samples)
    given_out.append(stream.finish())
    streamed = np.concatenate(given_out)
    assert len(streamed) == frame_count(samples)
    if samples:
        offline = speech.contexts(speech.windows(LISTENER.rows(audio)))
        np.testing.assert_allclose(streamed, offline, atol=1e-4)


def test_silence_is_zero() -> None:
    """Noise below the gate must not reach the talker: it is what lies before and after all sound, exactly."""
    noise = np.random.default_rng(1).normal(scale=1e-5, size=SAMPLE_RATE).astype(np.float32)
    rows = LISTENER.rows(noise)
    assert not rows.any()
    assert LISTENER.projection.apply(LISTENER.encoder.features(noise)).any(), "the encoder must have heard something"
