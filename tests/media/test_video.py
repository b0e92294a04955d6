"""Video goes out and comes back: pictures in their colours, sound in its place, times by the clock."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gaussiantalker.errors import Failure, GaussianTalkerError
from gaussiantalker.media import audio, video
from gaussiantalker.timing import SAMPLE_RATE, SAMPLES_PER_FRAME


def grey(levels: list[int], size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    return [np.full((*size, 3), level, np.uint8) for level in levels]


def write_with_times(path: Path, frames: list[np.ndarray], times_ms: list[int], rotation: int = 0) -> None:
    """A file whose pictures carry these timestamps, for rates and gaps the writer itself never makes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000, options={"crf": "1", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for image, time in zip(frames, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def levels_of(path: Path) -> list[int]:
    return [round(float(image.mean())) for image in video.read_frames(path)]


def test_pictures_return_in_order_and_colour(tmp_path: Path) -> None:
    colours = np.array([[200, 40, 30], [30, 180, 60], [40, 50, 210], [128, 128, 128], [250, 240, 230]], np.uint8)
    frames = [np.broadcast_to(c, (64, 96, 3)) for c in colours]
    video.write_video(tmp_path / "v.mp4", frames, crf=4)
    back = list(video.read_frames(tmp_path / "v.mp4"))
    assert len(back) == 5
    error = np.abs(np.array([b.mean((0, 1)) for b in back]) - colours)
    assert error.max() < 4, "the colour matrix written is not the one read"


def test_file_is_tagged_and_starts_to_play_at_once(tmp_path: Path) -> None:
    video.write_video(tmp_path / "v.mp4", grey([10, 200]), np.zeros(2 * SAMPLES_PER_FRAME, np.float32))
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.pix_fmt, stream.codec_context.colorspace) == ("yuv420p", 1)
        assert container.streams.audio[0].codec_context.name == "aac"
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert list(tmp_path.iterdir()) == [tmp_path / "v.mp4"]


def test_sound_stays_with_the_picture(tmp_path: Path) -> None:
    flash = 13
    clicks = np.zeros(25 * SAMPLES_PER_FRAME, np.float32)
    clicks[flash * SAMPLES_PER_FRAME : flash * SAMPLES_PER_FRAME + 160] = 0.9
    video.write_video(tmp_path / "v.mp4", grey([20] * flash + [230] + [20] * 11), clicks)
    assert int(np.argmax(levels_of(tmp_path / "v.mp4"))) == flash
    heard = np.abs(audio.read_audio(tmp_path / "v.mp4"))
    onset = int(np.argmax(heard > 0.3)) / SAMPLE_RATE
    assert abs(onset - flash / 25) < 0.005


def test_short_sound_is_padded_and_long_sound_cut(tmp_path: Path) -> None:
    for samples in (10, 5 * SAMPLE_RATE):
        video.write_video(tmp_path / "v.mp4", grey([90] * 25), np.full(samples, 0.1, np.float32))
        assert video.probe(tmp_path / "v.mp4").duration == pytest.approx(1.0, abs=0.01)
        assert len(audio.read_audio(tmp_path / "v.mp4")) == pytest.approx(SAMPLE_RATE, abs=1100)


@pytest.mark.parametrize(("fps", "count"), [(50, 100), (24, 48), (30, 60), (12.5, 25), (23.976, 48)])
def test_any_rate_becomes_25_by_the_clock(tmp_path: Path, fps: float, count: int) -> None:
    levels = [20 + 2 * k for k in range(count)]
    times = [round(1000 * k / fps) for k in range(count)]
    write_with_times(tmp_path / "v.mp4", grey(levels), times)
    back = levels_of(tmp_path / "v.mp4")
    assert len(back) == pytest.approx(25 * count / fps, abs=1)
    shown = [levels[min(int((k + 0.5) / 25 * fps + 1e-3), count - 1)] for k in range(len(back))]
    assert np.abs(np.array(back) - shown).max() <= 3


def test_uneven_timestamps_are_obeyed(tmp_path: Path) -> None:
    write_with_times(tmp_path / "v.mp4", grey([40, 120, 200, 60]), [500, 540, 900, 940])
    back = levels_of(tmp_path / "v.mp4")
    expected = [40] + [120] * 9 + [200] + [60]
    assert np.abs(np.array(back) - expected).max() <= 3


def test_odd_sizes_are_made_even(tmp_path: Path) -> None:
    video.write_video(tmp_path / "v.mp4", grey([99] * 3, (33, 45)))
    info = video.probe(tmp_path / "v.mp4")
    assert (info.width, info.height, info.has_audio, info.frames) == (46, 34, False, 3)


def test_truncated_file_gives_what_it_has(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 64, 64, 3), dtype=np.uint8)
    video.write_video(tmp_path / "v.mp4", noise)
    data = (tmp_path / "v.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * 0.6)])
    assert 5 < len(list(video.read_frames(tmp_path / "cut.mp4"))) < 50


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> object:
        yield from grey([10, 20])
        raise ValueError("the renderer broke")

    with pytest.raises(ValueError, match="broke"):
        video.write_video(tmp_path / "v.mp4", breaking())
    assert not list(tmp_path.iterdir())


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is not a film, whatever its name says\n" * 50)
    (tmp_path / "empty.mp4").touch()
    audio.write_wav(tmp_path / "sound.wav", np.zeros(1600, np.float32))
    cases = {
        "missing.mp4": "does not exist",
        ".": "is a folder",
        "text.mp4": "not a video",
        "empty.mp4": "is empty",
        "sound.wav": "no picture",
    }
    for name, words in cases.items():
        with pytest.raises(GaussianTalkerError, match=words):
            next(video.read_frames(tmp_path / name))
        with pytest.raises(GaussianTalkerError, match=words):
            video.probe(tmp_path / name)
    with pytest.raises(GaussianTalkerError, match="no frames"):
        video.write_video(tmp_path / "none.mp4", [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_film_that_meets_a_full_disk_is_not_there(tmp_path: Path) -> None:
    (tmp_path / f".v.{os.getpid()}.partial.mp4").symlink_to("/dev/full")
    with pytest.raises(Failure, match=f"{tmp_path} is full: make room"):
        video.write_video(tmp_path / "v.mp4", grey([10, 200]))
    assert not any(tmp_path.iterdir())
