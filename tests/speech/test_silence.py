import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.speech import Gate, voiced
from gaussiantalker.timing import frame_count

SPEAKING = [(13, 37), (58, 82)]  # frames of the babble that hold sound


def room(seconds: float, level: float) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(int(16_000 * seconds))
    return (10 ** (level / 20) * noise).astype(np.float32)


@pytest.mark.parametrize("level", [-90, -60, -50])
def test_speech_is_kept_whole_and_pauses_are_marked(babble, level):
    marks = voiced(babble + room(3.3, level))
    for start, end in SPEAKING:
        assert marks[start:end].all()
    assert not marks[:10].any()
    assert not marks[45:54].any()


@pytest.mark.parametrize("level", [-45, -35])
def test_the_floor_follows_a_noisy_room(babble, level):
    """After three seconds of the room alone the gate knows it, and a louder voice still opens it."""
    marks = voiced(np.concatenate([room(4, level), 4 * babble + room(3.3, level)]))
    assert not marks[80:110].any()
    assert marks[100 + 15 : 100 + 35].mean() > 0.9
    assert not marks[100 + 45 : 100 + 54].any()


@pytest.mark.parametrize("level", [-100, -70, -55])
def test_an_empty_room_is_silence(level):
    assert not voiced(room(5, level)).any()


def test_digital_silence_is_silence():
    assert not voiced(np.zeros(16_000, np.float32)).any()


@given(samples=st.integers(0, 52_800), sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_pieces_give_the_marks_of_the_whole_one_for_each_started_frame(babble, samples, sizes):
    audio, gate, marks, start, i = babble[:samples], Gate(), [], 0, 0
    while start < samples:
        marks.append(gate.push(audio[start : start + sizes[i % len(sizes)]]))
        start, i = start + sizes[i % len(sizes)], i + 1
    marks = np.concatenate([*marks, gate.finish()])
    assert len(marks) == frame_count(samples)
    assert np.array_equal(marks, voiced(audio))


def test_marks_come_within_the_lookahead(babble):
    gate, given_marks = Gate(), 0
    for frame in range(80):
        given_marks += len(gate.push(babble[640 * frame : 640 * (frame + 1)]))
        assert given_marks >= frame + 1 - gate.lookahead_frames


@given(bursts=st.lists(st.tuples(st.floats(0.02, 0.8), st.floats(-60, -10)), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_no_silence_is_shorter_than_three_frames(bursts):
    """A mouth that shuts for one frame twitches. The last run may be cut by the end of the sound."""
    marks = voiced(np.concatenate([room(seconds, level) for seconds, level in bursts]))
    edges = np.flatnonzero(np.diff(np.concatenate([[1], marks.astype(int), [1]])))
    silences = [end - start for start, end in zip(edges[::2], edges[1::2], strict=True) if end < len(marks)]
    assert all(length >= 3 for length in silences)


@pytest.mark.parametrize("gain", [0.06, 0.25, 4])
def test_a_voice_is_heard_at_any_loudness(babble, gain):
    marks = voiced(gain * babble)
    for start, end in SPEAKING:
        assert marks[start:end].all()
    assert not marks[:10].any()
