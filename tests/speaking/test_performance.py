"""What is written says that it is synthetic."""

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.outputs import is_ours
from gaussiantalker.media.sound import Sound
from gaussiantalker.media.video import write_video
from gaussiantalker.provenance.label import label
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


class Cut(Performance):
    """A square whose edge is half transparent, before nothing."""

    PICTURE = np.zeros((32, 64, 4), np.uint8)
    PICTURE[...] = (200, 60, 40, 0)
    PICTURE[8:24, 8:24, 3] = 128
    PICTURE[10:22, 10:22, 3] = 255
    clear = True

    def __iter__(self):
        for k in range(len(self)):
            yield AvFrame(k, self.PICTURE.copy(), np.zeros(640, np.float32))


def clear_pictures(path) -> np.ndarray:
    """As players show them that know of alpha: libvpx's decoder does, ffmpeg's own for VP9 does not."""
    with av.open(str(path)) as container:
        track = container.streams.video[0]
        webm = path.suffix == ".webm"
        codec = av.CodecContext.create("libvpx-vp9", "r") if webm else track.codec_context
        frames = [frame for packet in container.demux(track) for frame in codec.decode(packet if packet.size else None)]
    return np.stack([frame.reformat(format="rgba", src_colorspace="ITU709").to_ndarray() for frame in frames])


@pytest.mark.parametrize("ending", [".webm", ".mov"])
def test_films_before_nothing_keep_alpha_colour_and_sound(tmp_path, ending: str) -> None:
    stereo = np.stack([np.sin(np.arange(44_100) / 20), np.zeros(44_100)], 1)
    soundfile.write(tmp_path / "a.flac", 0.5 * stereo, 44_100)
    path = Cut(None, Sound.of(tmp_path / "a.flac")).save(tmp_path / f"a{ending}")
    pictures = clear_pictures(path).astype(int)
    assert pictures.shape == (25, 32, 64, 4)
    assert np.abs(pictures[..., 3] - Cut.PICTURE[..., 3]).mean() < 2
    assert np.abs(pictures[..., :3] - Cut.PICTURE[..., :3])[:, 4:28, 4:28].max() < 12
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.layout.name) == (44_100 if ending == ".mov" else 48_000, "stereo")
        assert sum(frame.samples for frame in container.decode(stream)) == pytest.approx(stream.rate, rel=0.03)
        assert SYNTHETIC in {name.lower(): value for name, value in container.metadata.items()}["comment"]
    assert is_ours(path)


def test_a_folder_of_pictures_replaces_its_own_only(tmp_path) -> None:
    cut = Cut(None, np.zeros(3 * 640, np.float32))
    for _ in range(2):
        folder = cut.save(tmp_path / "pictures")
        assert [file.name for file in sorted(folder.iterdir())] == [f"00000{k}.png" for k in range(3)]
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "000002.png")), Cut.PICTURE)
    (folder / "theirs.txt").write_text("mine")
    with pytest.raises(GaussianTalkerError, match="did not write there"):
        cut.save(folder, force=True)
    assert len(list(folder.iterdir())) == 4


def test_what_cannot_be_transparent_is_said_first(tmp_path) -> None:
    with pytest.raises(GaussianTalkerError, match=r"cannot be transparent: name a \.webm or a \.mov"):
        Cut(None, np.zeros(640, np.float32)).save(tmp_path / "a.mp4")
    with pytest.raises(GaussianTalkerError, match="ends in .mp4"):
        Still(None, np.zeros(640, np.float32)).save(tmp_path / "folder")


def test_the_label_is_read_where_nothing_is() -> None:
    labelled = label(np.zeros((64, 128, 4), np.uint8))
    assert labelled[-3, 2, 3] > 100 and labelled[..., 3].max() > 200 and not labelled[:40].any()
