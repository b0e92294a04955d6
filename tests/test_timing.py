"""Frames, samples and the split."""

from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, frame_at, frame_count, held_out_from


def test_a_frame_is_forty_milliseconds() -> None:
    assert SAMPLES_PER_FRAME * FPS == SAMPLE_RATE and SAMPLES_PER_FRAME == 640


@given(st.integers(0, 10**9))
def test_a_started_frame_counts(samples: int) -> None:
    frames = frame_count(samples)
    assert (frames - 1) * SAMPLES_PER_FRAME < samples <= frames * SAMPLES_PER_FRAME or samples == frames == 0


@given(st.integers(0, 10**7))
def test_an_instant_on_the_edge_belongs_to_the_frame_it_opens(k: int) -> None:
    assert frame_at(k / FPS) == k
    assert frame_at((k + 0.5) / FPS) == k


@given(st.integers(0, 10**6))
def test_the_last_eleventh_is_held_out(frames: int) -> None:
    held = frames - held_out_from(frames)
    assert held == frames // 11
    assert 0 <= held <= frames
