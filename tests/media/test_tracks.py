"""Sound and pictures stay together and come out as players show them, whatever is wrong with the file."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from specimens import Pictures, Track, flash_and_click, flashes, onsets, write_film

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import audio, video
from gaussiantalker.media.sound import Sound
from gaussiantalker.media.tracks import _Clock
from gaussiantalker.timing import SAMPLE_RATE

TS = {"bf": "0", "g": "50", "crf": "12", "sc_threshold": "0"}


def read(path: Path) -> tuple[list[float], list[float], list[str]]:
    """When it flashes, when it clicks, and what was told."""
    told: list[str] = []
    return flashes([*video.read_frames(path, told=told)]), onsets(audio.read_audio(path, told=told)), told


def test_a_good_film_has_nothing_told(tmp_path: Path) -> None:
    pictures, sound = flash_and_click(3, [0.4, 2.0])
    for name in ("a.mp4", "a.mkv", "a.ts", "a.mov"):
        seen, heard, told = read(write_film(tmp_path / name, Pictures(pictures), Track(sound)))
        assert seen == pytest.approx([0.4, 2.0], abs=0.041), name
        assert np.subtract(heard, seen) == pytest.approx([0, 0], abs=0.03), name
        assert told == [], name


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_gap_in_the_sound_moves_nothing(tmp_path: Path, name: str) -> None:
    pictures, sound = flash_and_click(4, [0.4, 3.0])
    seen, heard, told = read(write_film(tmp_path / name, Pictures(pictures), Track(sound, missing=(1.0, 1.8))))
    assert seen == pytest.approx([0.4, 3.0], abs=0.041)
    assert np.subtract(heard, seen) == pytest.approx([0, 0], abs=0.03)
    assert "the sound is missing for 0.8 s, first at 1.0 s" in told[0]


@pytest.mark.parametrize(("sound_at", "pictures_at"), [(0.0, 0.6), (0.7, 0.0)])
def test_late_pictures_and_late_sound(tmp_path: Path, sound_at: float, pictures_at: float) -> None:
    pictures, sound = flash_and_click(3, [1.0])
    path = write_film(tmp_path / "a.mkv", Pictures(pictures, start=pictures_at), Track(sound, start=sound_at))
    (seen,), (heard,), told = read(path)
    assert seen == pytest.approx(1.0, abs=0.001)
    assert heard - seen == pytest.approx(sound_at - pictures_at, abs=0.03)
    assert len(told) == 1 and ("left out" in told[0] if pictures_at else "is missing for 0.7 s" in told[0])
    whole = audio.read_audio(path, whole=True)
    assert onsets(whole) == pytest.approx([1.0 + sound_at], abs=0.03), "whole, it begins where sound or picture do"
    assert len(whole) == pytest.approx((3 + sound_at) * SAMPLE_RATE, abs=1100)


def test_a_recording_that_begins_between_key_pictures(tmp_path: Path) -> None:
    pictures, sound = flash_and_click(6, [1.0, 3.4, 5.0])
    data = write_film(tmp_path / "a.ts", Pictures(pictures, options=TS), Track(sound)).read_bytes()
    (tmp_path / "b.ts").write_bytes(data[len(data) // 8 // 188 * 188 :])
    seen, heard, told = read(tmp_path / "b.ts")
    assert len(seen) == 2, "pictures begin at the second key picture"
    assert heard == pytest.approx(seen, abs=0.03)
    assert any("before the first picture were left out" in sentence for sentence in told)
    assert len(onsets(audio.read_audio(tmp_path / "b.ts", whole=True))) >= len(seen)


@pytest.mark.parametrize(("first", "second"), [(1.0, 1.0), (50.0, 1.0), (1.0, 700.0)])
def test_recordings_that_were_joined(tmp_path: Path, first: float, second: float) -> None:
    pictures, sound = flash_and_click(3, [0.4, 2.0])
    parts = [
        write_film(tmp_path / f"{k}.ts", Pictures(pictures, start=at, options=TS), Track(sound, start=at)).read_bytes()
        for k, at in enumerate((first, second))
    ]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    seen, heard, told = read(tmp_path / "joined.ts")
    assert seen == pytest.approx([0.4, 2.0, 3.4, 5.0], abs=0.09)
    assert heard == pytest.approx(seen, abs=0.09)
    assert len(told) == 1 and "jump" in told[0]
    assert video.probe(tmp_path / "joined.ts").duration == pytest.approx(6, abs=0.2)


def moved(source: Path, path: Path, kind: str, seconds: float, after: float, *, live: bool) -> Path:
    """The film with all packets of one kind of track, or of every, later by so much from some time on."""
    options = {"live": "1"} if live else {}  # a live recording does not know how long it lasts
    with av.open(str(source)) as film, av.open(str(path), "w", options=options) as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in film.streams}
        for packet in film.demux():
            if not packet.size:
                continue
            if kind in (packet.stream.type, "all") and packet.pts * packet.time_base >= after:
                packet.pts += round(seconds / packet.time_base)
                packet.dts = None if packet.dts is None else packet.dts + round(seconds / packet.time_base)
            packet.stream = streams[packet.stream_index]
            out.mux(packet)
    return path


@pytest.mark.parametrize("kind", ["audio", "video", "all"])
@pytest.mark.parametrize("after", [0.0, 1.5])
@pytest.mark.parametrize("live", [False, True], ids=["", "without a duration"])
def test_wild_time_stamps_ask_for_no_more_than_the_file_holds(
    tmp_path: Path, kind: str, after: float, live: bool
) -> None:
    pictures, sound = flash_and_click(3, [0.4])
    source = write_film(tmp_path / "a.mkv", Pictures(pictures, options={"bf": "0"}), Track(sound))
    path = moved(source, tmp_path / "b.mkv", kind, 600_000.0, after, live=live)
    count = len([*video.read_frames(path)])
    assert count == 75 if after else count < 25 * 15
    assert video.probe(path).fps == pytest.approx(25) or not live
    for whole in (False, True):
        assert len(audio.read_audio(path, whole=whole)) < SAMPLE_RATE * 15


def test_a_still_picture_is_held_while_sound_goes_on(tmp_path: Path) -> None:
    pictures, sound = flash_and_click(15, [0.4, 14.0])
    path = write_film(tmp_path / "a.mkv", Pictures([pictures[0]] * 2, fps=1 / 13), Track(sound))
    told: list[str] = []
    assert len([*video.read_frames(path, told=told)]) == pytest.approx(26 * 25, abs=25 * 13)
    assert onsets(audio.read_audio(path)) == pytest.approx([0.4, 14.0], abs=0.03)
    assert told == []


def test_pictures_without_time_stamps_get_the_rate_of_the_codec(tmp_path: Path) -> None:
    levels = [np.full((32, 48, 3), 20 + 5 * k, np.uint8) for k in range(40)]
    for fps in (25, 50):
        with av.open(str(tmp_path / f"{fps}.h264"), "w") as out:
            stream = out.add_stream("libx264", rate=fps)
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
            frames = (av.VideoFrame.from_ndarray(level, format="rgb24") for level in levels)
            out.mux([packet for frame in (*frames, None) for packet in stream.encode(frame)])
        assert len([*video.read_frames(tmp_path / f"{fps}.h264")]) == pytest.approx(40 * 25 / fps, abs=1)


def test_the_default_sound_is_heard_and_the_film_seen_behind_its_cover(tmp_path: Path) -> None:
    pictures, sound = flash_and_click(2, [0.8])
    silent = Track(np.zeros_like(sound))
    path = write_film(tmp_path / "a.mkv", Pictures(pictures), silent, Track(sound, default=True))
    assert read(path)[:2] == (pytest.approx([0.8]), pytest.approx([0.8], abs=0.03))
    assert onsets(Sound.of(path).heard) == pytest.approx([0.8], abs=0.03)
    with av.open(str(path)) as film, av.open(str(tmp_path / "cover.mp4"), "w") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        still = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 250, np.uint8), format="rgb24")
        out_stream = out.add_stream_from_template(film.streams.video[0])
        packets = [*cover.encode(still.reformat(format="yuvj420p")), *cover.encode(None)]
        for packet in film.demux(film.streams.video[0]):
            if packet.size:
                packet.stream = out_stream
                packets.append(packet)
        out.mux(packets)
    assert flashes([*video.read_frames(tmp_path / "cover.mp4")]) == pytest.approx([0.8])


def test_a_song_with_a_cover_is_no_film(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        still = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 250, np.uint8), format="rgb24")
        out.mux([*cover.encode(still.reformat(format="yuvj420p")), *cover.encode(None)])
    with pytest.raises(GaussianTalkerError, match="no picture track"):
        video.probe(tmp_path / "a.mp4")


def damaged(data: bytes, first: float, last: float) -> bytes:
    """The file with everything between two shares of it overwritten."""
    a, b = int(len(data) * first), int(len(data) * last)
    return data[:a] + np.random.default_rng(0).bytes(b - a) + data[b:]


@pytest.mark.parametrize("ending", ["mp3", "ts"])
def test_a_damaged_place_is_silent_and_told(tmp_path: Path, ending: str) -> None:
    _, sound = flash_and_click(6, [0.4, 5.0], 44_100)
    noise = 0.02 * np.random.default_rng(0).standard_normal(sound.shape).astype(np.float32)
    codec = {"mp3": "libmp3lame", "ts": "mp2"}[ending]
    path = write_film(tmp_path / f"a.{ending}", Track(sound + noise, 44_100, codec=codec))
    path.write_bytes(damaged(path.read_bytes(), 0.5, 0.53))
    told: list[str] = []
    heard = audio.read_audio(path, told=told)
    loose = 0.04 if ending == "ts" else 0.25  # an mp3 has no time stamps that tell what is missing
    assert np.diff(onsets(heard)) == pytest.approx([4.6], abs=loose)
    assert len(heard) == pytest.approx(6 * SAMPLE_RATE, abs=0.25 * SAMPLE_RATE)
    assert told and all("left out" in sentence or "missing" in sentence for sentence in told)


def broken_packets(source: Path, path: Path, kind: str, which: range) -> Path:
    """The film with some packets of one track overwritten."""
    with av.open(str(source)) as film, av.open(str(path), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in film.streams}
        count = 0
        for packet in film.demux():
            if not packet.size:
                continue
            stream = streams[packet.stream_index]
            if packet.stream.type == kind:
                count += 1
                if count in which:
                    bad = av.Packet(b"\xff" * packet.size)
                    bad.pts, bad.dts, bad.time_base, bad.duration = (
                        packet.pts,
                        packet.dts,
                        packet.time_base,
                        packet.duration,
                    )
                    packet = bad
            packet.stream = stream
            out.mux(packet)
    return path


def test_bad_packets_are_left_out_and_too_many_refused(tmp_path: Path) -> None:
    pictures, sound = flash_and_click(6, [0.4, 5.0])
    source = write_film(tmp_path / "a.mp4", Pictures(pictures), Track(sound))
    seen, heard, told = read(broken_packets(source, tmp_path / "b.mp4", "audio", range(40, 43)))
    assert heard == pytest.approx(seen, abs=0.03)
    assert "3 of 9" in told[0] and "damaged" in told[0]
    path = broken_packets(source, tmp_path / "c.mp4", "audio", range(20, 60))
    with pytest.raises(GaussianTalkerError, match=r"c\.mp4: 40 of .* damaged; copy or export"):
        audio.read_audio(path)
    seen, heard, _ = read(broken_packets(source, tmp_path / "d.mp4", "video", range(60, 62)))
    assert (seen[0], heard) == (pytest.approx(0.4, abs=0.01), pytest.approx([0.4, 5.0], abs=0.03))
    with pytest.raises(GaussianTalkerError, match="of pictures are damaged|no picture that can"):
        [*video.read_frames(broken_packets(source, tmp_path / "e.mp4", "video", range(1, 149)))]


def test_junk_after_the_end(tmp_path: Path) -> None:
    pictures, sound = flash_and_click(3, [0.4, 2.0])
    for name, tracks in {
        "a.mp4": (Pictures(pictures), Track(sound)),
        "a.mp3": (Track(sound, codec="libmp3lame"),),
    }.items():
        path = write_film(tmp_path / name, *tracks)
        path.write_bytes(path.read_bytes() + np.random.default_rng(0).bytes(20_000))
        assert np.diff(onsets(audio.read_audio(path))) == pytest.approx([1.6], abs=0.06)
    assert flashes([*video.read_frames(tmp_path / "a.mp4")]) == pytest.approx([0.4, 2.0])


def test_rates_that_change_on_the_way(tmp_path: Path) -> None:
    parts = []
    for k, rate in enumerate((24_000, 44_100)):
        _, sound = flash_and_click(3, [0.5, 2.5], rate)
        path = write_film(tmp_path / f"{k}.mp3", Track(sound, rate, codec="libmp3lame"))
        parts.append(path.read_bytes())
    (tmp_path / "joined.mp3").write_bytes(b"".join(parts))
    told: list[str] = []
    heard = audio.read_audio(tmp_path / "joined.mp3", told=told)
    assert len(heard) == pytest.approx(6 * SAMPLE_RATE, abs=0.25 * SAMPLE_RATE)
    assert np.diff(onsets(heard)) == pytest.approx([2.0, 1.0, 2.0], abs=0.12)
    assert any("24,000 Hz mono and 44,100 Hz mono" in sentence for sentence in told)


def test_the_clock_bridges_a_pause_of_one_track_only() -> None:
    def times(*stamps: tuple[int, float]) -> list[float]:
        clock, out = _Clock([]), []
        for track, time in stamps:
            packet = av.Packet(b"x")
            packet.time_base, packet.pts, packet.dts = Fraction(1, 1000), round(time * 1000), round(time * 1000)
            packet.duration = 40
            packet_in = Stamped(packet, track)
            clock.correct(packet_in)
            out.append(packet_in.pts / 1000)
        return out

    assert times((0, 0), (1, 0), (0, 30), (1, 30)) == [0, 0, 0.04, 0.04], "both jump: one clock that jumped"
    assert times((0, 0), (1, 0), *((1, k * 0.5) for k in range(60)), (0, 30))[-1] == 30, "one pauses, the other goes on"


class Stamped:
    """A packet of a track, without a file."""

    def __init__(self, packet: av.Packet, track: int) -> None:
        self.stream_index, self.time_base, self.duration = track, packet.time_base, packet.duration
        self.pts, self.dts = packet.pts, packet.dts
