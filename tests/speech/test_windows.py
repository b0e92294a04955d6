import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech import contexts, contexts_of, windows
from gaussiantalker.speech.windows import LOOKAHEADS_MS


def test_window_k_holds_rows_2k_minus_8_to_2k_plus_7():
    rows = np.arange(1, 61, dtype=np.float32)[:, None] * [1, 10]
    cut = windows(rows)
    assert cut.shape == (30, 16, 2)
    for k in range(30):
        for j, row in enumerate(range(2 * k - 8, 2 * k + 8)):
            expected = rows[row] if 0 <= row < 60 else np.zeros(2)
            assert np.array_equal(cut[k, j], expected)


@pytest.mark.parametrize("ahead", [0, 3, 7])
def test_contexts_end_at_the_lookahead(ahead):
    cut = windows(np.random.default_rng(0).random((40, 3)))
    context = contexts(cut, lookahead_frames=ahead)
    assert context.shape == (20, 8, 16, 3)
    for k in range(20):
        for j, frame in enumerate(range(k + ahead - 7, k + ahead + 1)):
            assert np.array_equal(context[k, j], cut[frame] if 0 <= frame < 20 else np.zeros((16, 3)))


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_the_shortest_sounds_have_windows(frames):
    cut = windows(np.ones((2 * frames, 4), np.float32))
    assert cut.shape == (frames, 16, 4)
    assert contexts(cut).shape == (frames, 8, 16, 4)


@pytest.mark.parametrize("ahead", LOOKAHEADS_MS)
@given(frames=st.integers(1, 30), row=st.integers(0, 59))
def test_a_frame_hears_what_its_lookahead_allows_and_nothing_later(ahead, frames, row):
    row %= 2 * frames
    rows = np.ones((2 * frames, 2), np.float32)
    changed = rows.copy()
    changed[row] = 5
    differs = (contexts_of(changed, ahead) != contexts_of(rows, ahead)).any(axis=(1, 2, 3))
    end = 2 * np.arange(frames) + ahead // 20  # the first row that a frame may not hear
    assert not differs[row >= end].any()
    heard = (row < end) & (row >= end - 16 - 2 * 7)  # eight windows of 16 rows, two rows apart
    assert np.array_equal(differs, heard)


@pytest.mark.parametrize("ahead", LOOKAHEADS_MS)
def test_beyond_the_ends_lies_silence(ahead):
    heard = contexts_of(np.ones((60, 3), np.float32), ahead)
    assert heard.shape == (30, 8, 16, 3)
    assert set(np.unique(heard)) == {0, 1}
    assert (heard[20] == 1).all()
    rows = [max(0, min(16, 2 * k + LOOKAHEADS_MS[ahead].rows)) for k in range(LOOKAHEADS_MS[ahead].frames + 1)]
    assert heard[0].sum() == 3 * sum(rows)


def test_the_papers_lookahead_is_the_default():
    rows = np.random.default_rng(0).random((40, 3))
    assert np.array_equal(contexts_of(rows), contexts(windows(rows)))
    with pytest.raises(GaussianTalkerError, match="choose one of 0, 120, 280"):
        contexts_of(rows, 200)
