"""What the ear hears of many kinds of sound, and what a film keeps of it."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from specimens import Pictures, Track, flash_and_click, flashes, onsets, write_film

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import audio, video
from gaussiantalker.media.sound import Sound
from gaussiantalker.timing import SAMPLE_RATE


def voice(rate: int, seconds: float = 2.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 300 * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def decibels(samples: np.ndarray, against: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2) / np.mean(against**2))))


@pytest.mark.parametrize(("layout", "names"), [("5.1", "FL FR FC LFE BL BR"), ("7.1", "FL FR FC LFE BL BR SL SR")])
def test_a_voice_in_the_centre_is_as_loud_as_it_was(tmp_path: Path, layout: str, names: str) -> None:
    told: list[str] = []
    for name, share in (("FC", 0.0), ("FL", -3.0), ("BR", -6.0), ("LFE", -200.0)):
        planes = np.zeros((len(names.split()), 96_000), np.float32)
        planes[names.split().index(name)] = voice(48_000)
        path = write_film(tmp_path / f"{name}.flac", Track(planes, 48_000, layout, codec="flac"))
        heard = audio.read_audio(path, told=told)
        if share > -100:
            assert decibels(heard, voice(SAMPLE_RATE)) == pytest.approx(share, abs=0.1), name
        else:
            assert not heard.any()
    assert told == []


def test_opposite_channels_do_not_cancel(tmp_path: Path) -> None:
    hiss = 0.005 * np.random.default_rng(0).standard_normal((2, 88_200)).astype(np.float32)
    for share, sentences in ((-1.0, 1), (-0.5, 1), (1.0, 0), (0.0, 0)):
        told: list[str] = []
        soundfile.write(tmp_path / "a.wav", (np.stack([voice(44_100), share * voice(44_100)]) + hiss).T, 44_100)
        heard = audio.read_audio(tmp_path / "a.wav", told=told)
        expected = 20 * np.log10((1 + abs(share)) / 2)
        assert decibels(heard[1600:], voice(SAMPLE_RATE)[1600:]) == pytest.approx(expected, abs=0.2)
        assert len(told) == sentences, share


@pytest.mark.parametrize(("subtype", "bits"), [("FLOAT", 16), ("DOUBLE", 24), ("FLOAT", 32)])
def test_floats_as_large_as_integers_are_divided(tmp_path: Path, subtype: str, bits: int) -> None:
    quiet_first = np.concatenate([np.zeros(8000, np.float32), voice(SAMPLE_RATE)])
    soundfile.write(tmp_path / "a.wav", quiet_first.astype(float) * 2 ** (bits - 1), SAMPLE_RATE, subtype=subtype)
    told: list[str] = []
    assert np.abs(audio.read_audio(tmp_path / "a.wav", told=told) - quiet_first).max() < 1e-4
    assert told == [f"its samples are floats as large as {bits}-bit integers and were divided by {2 ** (bits - 1):,}"]


def test_hot_floats_stay_and_absurd_ones_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "hot.wav", 5 * voice(SAMPLE_RATE), SAMPLE_RATE, subtype="FLOAT")
    assert np.abs(audio.read_audio(tmp_path / "hot.wav")).max() == pytest.approx(1.5, abs=0.01)
    soundfile.write(tmp_path / "absurd.wav", voice(SAMPLE_RATE) * 1e12, SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(GaussianTalkerError, match="as large as"):
        audio.read_audio(tmp_path / "absurd.wav")
    poisoned = voice(SAMPLE_RATE)
    poisoned[100], poisoned[200] = np.nan, np.inf
    soundfile.write(tmp_path / "poisoned.wav", poisoned, SAMPLE_RATE, subtype="FLOAT")
    assert np.isfinite(audio.read_audio(tmp_path / "poisoned.wav")).all()


@pytest.mark.parametrize(("rate", "layout"), [(44_100, "stereo"), (48_000, "mono"), (8_000, "mono"), (48_000, "5.1")])
def test_a_film_has_the_sound_it_was_given(tmp_path: Path, rate: int, layout: str) -> None:
    channels = av.AudioLayout(layout).nb_channels
    pictures, click = flash_and_click(3, [0.6, 2.2], rate)
    hum = voice(rate, 3)
    planes = np.stack([(0.2 + 0.1 * k) * hum for k in range(channels)])
    planes[0] += click[0] - np.where(click[0] > 0, planes[0], 0)
    source = write_film(tmp_path / "a.flac", Track(planes, rate, layout, codec="flac"))
    sound = Sound.of(source)
    assert (sound.rate, sound.layout, len(sound.heard)) == (rate, layout, 3 * SAMPLE_RATE)
    video.write_video(tmp_path / "a.mp4", pictures, sound)
    with av.open(str(tmp_path / "a.mp4")) as film:
        stream = film.streams.audio[0]
        assert (stream.rate, stream.layout.name) == (rate, layout)
        decoded = np.concatenate([frame.to_ndarray() for frame in film.decode(stream)], axis=1)
    seen = flashes([*video.read_frames(tmp_path / "a.mp4")])
    assert np.subtract(onsets(decoded[0], rate), seen) == pytest.approx([0, 0], abs=0.03)
    for k in range(1, channels):
        if av.AudioLayout(layout).channels[k].name != "LFE":
            part = slice(rate, 2 * rate)
            assert decibels(decoded[k, part], planes[k, part]) == pytest.approx(0, abs=1), k


def test_what_aac_cannot_hold_is_brought_to_what_it_can(tmp_path: Path) -> None:
    planes = np.stack([voice(192_000, 1)] * 4)
    source = write_film(tmp_path / "a.flac", Track(planes, 192_000, "quad", codec="flac"))
    sound = Sound.of(source)
    assert (sound.rate, sound.layout) == (48_000, "stereo")
    whole = np.concatenate([*sound.pieces()], axis=1)
    assert whole.shape == (2, pytest.approx(48_000, abs=10))
    assert len(sound.heard) == SAMPLE_RATE


def test_sound_that_changes_is_written_in_its_best_form(tmp_path: Path) -> None:
    data = b""
    for rate, layout in ((24_000, "mono"), (44_100, "stereo")):
        planes = np.stack([voice(rate)] * (1 + (layout == "stereo")))
        data += write_film(tmp_path / "part.mp3", Track(planes, rate, layout, codec="libmp3lame")).read_bytes()
    (tmp_path / "a.mp3").write_bytes(data)
    sound = Sound.of(tmp_path / "a.mp3")
    assert (sound.rate, sound.layout) == (44_100, "stereo")
    whole = np.concatenate([*sound.pieces()], axis=1)
    assert whole.shape[1] / 44_100 == pytest.approx(len(sound.heard) / SAMPLE_RATE, abs=0.02)


def test_a_long_pause_is_written_in_bounded_pieces(tmp_path: Path) -> None:
    pictures, sound = flash_and_click(9, [0.4, 8.0])
    path = write_film(tmp_path / "a.mkv", Pictures(pictures), Track(sound, missing=(0.6, 7.9)))
    pieces = [*Sound.of(path).pieces()]
    assert max(piece.shape[1] for piece in pieces) <= 1 << 16
    assert onsets(np.concatenate(pieces, axis=1)[0]) == pytest.approx([0.4, 8.0], abs=0.03)
