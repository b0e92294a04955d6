"""What is written says that it is synthetic."""

import av
import numpy as np
import pytest
import soundfile

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.sound import Sound
from gaussiantalker.media.video import write_video
from gaussiantalker.speaking.frames import AvFrame
from gaussiantalker.speaking.performance import SYNTHETIC, Performance


class Still(Performance):
    def __iter__(self):
        for k in range(len(self)):
            yield AvFrame(k, np.full((32, 32, 3), 100, np.uint8), np.zeros(640, np.float32))


def test_the_file_says_it_is_synthetic_and_is_as_long_as_its_sound(tmp_path) -> None:
    audio = np.sin(np.arange(16_000) / 20).astype(np.float32)
    path = Still(None, audio).save(tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == SYNTHETIC
        assert sum(1 for _ in container.decode(video=0)) == 25
    with av.open(str(path)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 16_000


def test_the_film_has_the_sound_of_the_file(tmp_path) -> None:
    stereo = np.stack([np.sin(np.arange(44_100) / 20), np.zeros(44_100)], 1)
    soundfile.write(tmp_path / "a.flac", 0.5 * stereo, 44_100)
    path = Still(None, Sound.of(tmp_path / "a.flac")).save(tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.layout.name) == (44_100, "stereo")
        left, right = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)
    assert np.abs(left[4000:40_000]).max() > 0.4 > 0.05 > np.abs(right[4000:40_000]).max()


def test_saving_replaces_its_own_films_only_and_says_so_first(tmp_path) -> None:
    class Unrendered(Performance):
        def __iter__(self):
            raise AssertionError("nothing is rendered")

    audio = np.zeros(640, np.float32)
    path = Still(None, audio).save(tmp_path / "ours.mp4")
    assert Still(None, audio).save(path) == path
    write_video(tmp_path / "theirs.mp4", [np.zeros((32, 32, 3), np.uint8)])
    for name, words in {
        "theirs.mp4": "not written by",
        "a.avi": "ends in .mp4",
        "none/a.mp4": "does not exist",
    }.items():
        with pytest.raises(GaussianTalkerError, match=words):
            Unrendered(None, audio).save(tmp_path / name)
    Still(None, audio).save(tmp_path / "theirs.mp4", force=True)
