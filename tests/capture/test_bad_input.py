"""What cannot be captured is told in one sentence with file, time and remedy, and leaves nothing that is trusted."""

import errno
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from synthetic_head import SyntheticClip

from gaussiantalker.capture import Capture, arrays
from gaussiantalker.capture.faces import gaps
from gaussiantalker.capture.ingest import ingest
from gaussiantalker.capture.segmentation import Parser
from gaussiantalker.cli.main import main
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import audio, video

SIZE = 128


@pytest.fixture(scope="module")
def films(clip: SyntheticClip, film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that people give to a program."""
    folder = tmp_path_factory.mktemp("films")
    wall = np.full((90, *clip.video.shape[1:]), 120, np.uint8)
    (folder / "text.mp4").write_text("no film " * 99)
    (folder / "empty.mp4").touch()
    (folder / "folder.mp4").mkdir()
    whole = film.read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: int(0.4 * len(whole))])
    (folder / "headless.mp4").write_bytes(whole[: len(whole) // 50])
    video.write_video(folder / "wall.mp4", wall)
    video.write_video(folder / "tiny.mp4", wall[:, :10, :10])
    video.write_video(folder / "one.mp4", clip.video[:1])
    # The speaker fades into the wall, so that no cut is to blame.
    fade = np.linspace(0, 1, 12)[:, None, None, None]
    gone = (1 - fade) * clip.video[-1] + fade * wall[:12]
    video.write_video(folder / "gone.mp4", np.concatenate([clip.video[:45], gone.astype(np.uint8), wall]))
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.mp4", ["does not exist", "check the name"]),
        ("folder.mp4", ["is a folder", "give a video"]),
        ("empty.mp4", ["is empty"]),
        ("text.mp4", ["is not a video that can be read", "use mp4 or webm"]),
        ("headless.mp4", ["is not a video that can be read", "use mp4 or webm"]),
        ("truncated.mp4", ["breaks off at 0:0", "of 0:02.40", "copy or export it again"]),
        ("wall.mp4", ["No face was found", "use a video in which one face is upright"]),
        ("tiny.mp4", ["No face was found"]),
        ("one.mp4", ["lasts 0.0 s", "at least 2 s are needed"]),
        ("gone.mp4", ["A face is seen in only", "from 0:00.00 to 0:0", "cut it to the part with the speaker"]),
    ],
)
def test_one_sentence_and_exit_code_2(
    films: Path, model: object, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: list[str]
) -> None:
    model("face-landmarker")
    code = main(["capture", str(films / name), "--out", str(tmp_path / "out"), "--size", str(SIZE)])
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2
    assert str(films / name) in told and all(word in told for word in words), told
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir()), "nothing is left"


def test_a_disk_that_fills_up_is_a_failure_and_what_is_finished_is_kept(
    captured: Capture, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cap"
    shutil.copytree(captured.path, out)
    (out / "plates.npy").unlink()
    append = arrays.ArrayWriter.append

    def full(writer: arrays.ArrayWriter, rows: np.ndarray) -> None:
        if writer.rows == 30:
            writer._file.write(b"half a row")
            raise OSError(errno.ENOSPC, "No space left on device")
        append(writer, rows)

    line = ["capture", str(film), "--out", str(out), "--size", str(SIZE)]
    with monkeypatch.context() as patch:
        patch.setattr(arrays.ArrayWriter, "append", full)
        assert main(line) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert str(out) in told and "became full in the stage 'plates'; make room and run the same command again" in told
    with pytest.raises(GaussianTalkerError, match="plates is missing"):
        Capture.load(out)
    assert main(line) == 0
    assert np.array_equal(Capture.load(out).plates, captured.plates)


def no_parser() -> Parser:
    return Wall()


class Wall:
    """Takes the middle of every picture for the person."""

    corners = False

    def scores(self, picture: np.ndarray) -> torch.Tensor:
        out = torch.zeros(4, 64, 64)
        out[1, 8:, 12:52] = 1
        return out


class Notes(list):
    """A progress listener that keeps the notes."""

    def stage(self, name: str, total: int) -> None:
        pass

    def update(self, done: int, **numbers: float) -> None:
        pass

    def note(self, text: str) -> None:
        self.append(text)


def joined(pictures: Path, sound: Path, film: Path) -> None:
    with av.open(str(pictures)) as seen, av.open(str(sound)) as heard, av.open(str(film), "w") as both:
        for source, track in [(source, both.add_stream_from_template(source.streams[0])) for source in (seen, heard)]:
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = track
                    both.mux(packet)


@pytest.mark.parametrize(("share", "words"), [(0.5, "continued in silence"), (2.0, "cut off")])
def test_sound_of_another_length_is_told_and_fitted(
    clip: SyntheticClip, model: object, tmp_path: Path, share: float, words: str
) -> None:
    model("face-landmarker")
    samples = np.resize(clip.audio, int(share * len(clip.audio)))
    video.write_video(tmp_path / "pictures.mov", clip.video)
    audio.write_wav(tmp_path / "sound.wav", samples)
    joined(tmp_path / "pictures.mov", tmp_path / "sound.wav", tmp_path / "film.mov")
    notes = Notes()
    facts = ingest([tmp_path / "film.mov"], tmp_path, SIZE, no_parser, notes)
    assert facts["frames"] == len(clip.video)
    assert any("film.mov" in note and words in note for note in notes)
    sound = audio.read_audio(tmp_path / "film.wav")
    assert len(sound) == 640 * facts["frames"]
    assert (np.abs(sound[-12_000:]).max() < 0.01) == (share < 1)


def test_8k_is_made_smaller_while_it_is_decoded(clip: SyntheticClip, tmp_path: Path) -> None:
    path = tmp_path / "8k.mp4"
    picture = np.ascontiguousarray(np.kron(clip.video[0, :90, :, :], np.ones((48, 60, 1), np.uint8)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1)
        frame = av.VideoFrame.from_ndarray(picture[:4320, :7680], format="rgb24")
        for k in range(2):
            frame.pts, frame.time_base = k, Fraction(1, 1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = list(video.read_frames(path, most_lines=2160))
    assert len(frames) == 50 and frames[0].shape == (2160, 3840, 3)
    assert np.abs(frames[0].astype(int) - picture[1:4320:2, 1:7680:2]).mean() < 6


def test_long_gaps_are_cut_and_short_ones_are_not() -> None:
    found = np.ones(300, bool)
    found[:30] = found[50:60] = found[100:126] = found[290:] = False
    assert gaps(found) == [(0, 30), (100, 126)]
    assert gaps(np.ones(9, bool)) == [] and gaps(np.zeros(50, bool)) == [(0, 50)]


def test_a_capture_knows_its_longest_part(captured: Capture) -> None:
    def part(cut: list[list[int]], stop: int | None = None) -> tuple[int, int]:
        stages = {**captured.record["stages"], "ingest": {"facts": {"cut": cut}}}
        changed = Capture(captured.path, {"stages": stages}, captured.camera, captured.tracking)
        chosen = changed.longest_part(stop)
        return chosen.start, chosen.stop

    assert captured.cut == [] and part([]) == (0, captured.frames)
    assert part([[0, 10], [20, 30]]) == (30, captured.frames)
    assert part([[0, 10], [20, 30]], stop=25) == (10, 20)
