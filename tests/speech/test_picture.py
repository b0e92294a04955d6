import numpy as np
import pytest

from gaussiantalker.speech.phones import Phone
from gaussiantalker.speech.picture import _columns, draw


def test_sound_and_silence_can_be_told_apart(babble):
    picture = draw(babble)
    assert picture.shape == (90 + 6 + 160, 330, 3)
    wave, ink = picture[:90].astype(int), (35, 60, 110)
    loud = (wave == ink).all(axis=-1).sum(axis=0)
    assert loud[60:140].mean() > 5 * loud[10:40].mean()
    assert (wave[0, 10:40] == 232).all() and (wave[0, 60:140] == 255).all()


def test_phones_and_features_take_their_rows(babble):
    features = np.random.default_rng(0).standard_normal((166, 10)).astype(np.float32)
    picture = draw(babble, [Phone(0.5, 1.5, "AA"), Phone(1.5, 3.3, "SIL")], features)
    assert picture.shape == (90 + 6 + 160 + 6 + 22 + 6 + 60, 330, 3)
    phones = picture[262:284].astype(int)
    assert (phones[:, 60:140] != 255).any(axis=-1).mean() > 0.9
    assert (phones[:, 170:] == 255).all()


@pytest.mark.parametrize("samples", [0, 1, 500, 200_000])
def test_any_length_has_a_picture(samples):
    assert draw(np.zeros(samples, np.float32)).shape[1] <= 3_000


@pytest.mark.parametrize("width", [3, 10, 25])
def test_columns_keep_the_mean(width):
    rows = np.random.default_rng(0).random((10, 2))
    columns = _columns(rows, width)
    assert columns.shape == (width, 2)
    assert rows.min() - 1e-9 <= columns.min() and columns.max() <= rows.max() + 1e-9
    np.testing.assert_allclose(_columns(rows, 10), rows, atol=1e-9)
