import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech import contexts
from gaussiantalker.speech.deepspeech import read_windows


def test_published_windows_are_read_as_they_are(tmp_path):
    windows = np.random.default_rng(0).random((20, 16, 29))
    np.save(tmp_path / "aud_ds.npy", windows)
    read = read_windows(tmp_path / "aud_ds.npy")
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, windows, rtol=1e-6)
    assert contexts(read).shape == (20, 8, 16, 29)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (np.zeros((20, 29)), r"holds \(20, 29\)"),
        (np.zeros((20, 2, 1024)), "aud_ds.npy"),
        (np.full((2, 16, 29), np.nan), "not numbers"),
        (np.zeros((2, 16, 29), int), "not numbers"),
    ],
)
def test_other_arrays_are_refused(tmp_path, content, word):
    np.save(tmp_path / "aud.npy", content)
    with pytest.raises(GaussianTalkerError, match=word):
        read_windows(tmp_path / "aud.npy")


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "several.npz", a=np.zeros(3))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "empty.npy").touch()
    for name in ("missing.npy", "text.npy", "empty.npy", "several.npz"):
        with pytest.raises(GaussianTalkerError, match=name):
            read_windows(tmp_path / name)
