import numpy as np
import pytest

from gaussiantalker.speech import contexts, windows


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
