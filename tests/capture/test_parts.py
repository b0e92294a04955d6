"""Of films with cuts all is kept that shows one person before one scene; films are joined; sound goes with pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic_head import SyntheticClip

from gaussiantalker.capture import scout
from gaussiantalker.capture.ingest import ingest
from gaussiantalker.capture.reel import _turned
from gaussiantalker.capture.sync import lip_lag, synchronise
from gaussiantalker.media import audio, video
from gaussiantalker.media.image import resize
from gaussiantalker.progress import SILENT
from gaussiantalker.timing import SAMPLES_PER_FRAME

SIZE, DARK = 128, 40


class Wall:
    """Takes the middle of every picture for the person."""

    corners = False

    def scores(self, picture: np.ndarray) -> torch.Tensor:
        out = torch.zeros(4, 64, 64)
        out[1, 8:, 12:52] = 1
        return out


class Brightness:
    """Knows people by how bright their pictures are."""

    def __init__(self, progress: object) -> None:
        pass

    def embedding(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
        return np.eye(2)[int(picture.mean() > DARK)]


@pytest.fixture
def parts(clip: SyntheticClip, model: object, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The speaker, an empty wall, somebody else, the speaker again."""
    model("face-landmarker")
    monkeypatch.setattr(scout, "Identity", Brightness)
    wall = np.full((40, *clip.video.shape[1:]), 235, np.uint8)
    return [clip.video, wall, (clip.video // 6)[:40], clip.video[::-1]]


def sound(lengths: list[int]) -> np.ndarray:
    """A tone for each part, of its own pitch."""
    tones = [np.sin(np.arange(n * SAMPLES_PER_FRAME) * 0.02 * (k + 1)) * 0.3 for k, n in enumerate(lengths)]
    return np.concatenate(tones).astype(np.float32)


def test_the_same_person_before_the_same_scene_is_kept(parts: list[np.ndarray], tmp_path: Path) -> None:
    lengths = [len(part) for part in parts]
    video.write_video(tmp_path / "film.mp4", np.concatenate(parts), sound(lengths))
    facts = ingest([tmp_path / "film.mp4"], tmp_path, SIZE, Wall, SILENT)
    assert facts["frames"] == 120 and facts["cut"] == [(60, 60)] and facts["films"] == [[0, 120]]
    assert facts["kept"] == ["0:00.00 to 0:02.40", "0:05.60 to 0:08.00"]
    assert facts["left_out"] == ["0:02.40 to 0:04.00 (nobody)", "0:04.00 to 0:05.60 (another person)"]
    heard, whole = audio.read_audio(tmp_path / "film.wav"), audio.read_audio(tmp_path / "film.mp4")
    part = slice(60 * SAMPLES_PER_FRAME, 120 * SAMPLES_PER_FRAME)
    assert len(heard) == 120 * SAMPLES_PER_FRAME
    assert np.allclose(heard[part], whole[140 * SAMPLES_PER_FRAME : 200 * SAMPLES_PER_FRAME], atol=1e-3)


def test_films_are_joined_and_a_camera_on_a_stand_changes_no_bit(parts: list[np.ndarray], tmp_path: Path) -> None:
    films = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for film, part in zip(films, (parts[0], parts[3]), strict=True):
        video.write_video(film, part, sound([len(part)]))
    facts = ingest(films, tmp_path, SIZE, Wall, SILENT)
    assert facts["films"] == [[0, 60], [60, 120]] and facts["camera"]["state"] in ("still", "unknown")
    left, top, side = facts["crop"]
    first = next(video.read_frames(films[0]))[top : top + side, left : left + side]
    assert np.array_equal(np.load(tmp_path / "frames.npy", mmap_mode="r")[0], resize(first, (SIZE, SIZE)))


@pytest.mark.parametrize("turns", range(4))
def test_points_turn_with_the_picture(turns: int) -> None:
    picture = np.zeros((30, 50), np.uint8)
    picture[7, 41] = 1
    y, x = np.argwhere(np.rot90(picture, turns))[0]
    assert np.allclose(_turned(np.array([[41.5, 7.5]]), turns, 30, 50), [[x + 0.5, y + 0.5]])


def spoken(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lips that open at random, and noise that is as loud as they are open."""
    rng = np.random.default_rng(seed)
    lips = np.clip(np.convolve(rng.normal(0, 1, count + 8), np.ones(9) / 3, "valid"), 0, None)
    voice = np.repeat(lips, SAMPLES_PER_FRAME) * rng.normal(0, 0.1, count * SAMPLES_PER_FRAME)
    return lips.astype(np.float32), voice.astype(np.float32)


def test_sound_is_shifted_where_it_is_sure(tmp_path: Path) -> None:
    (lips, voice), (others, _) = spoken(600, 0), spoken(600, 1)
    early = np.roll(voice, -7 * SAMPLES_PER_FRAME)
    np.savez(tmp_path / "tracking.npz", lip_opening=np.concatenate([lips, others]))
    audio.write_wav(tmp_path / "film.wav", np.concatenate([early, voice]))
    films = [[0, 600], [600, 1200]]
    facts = synchronise(tmp_path, films, keep=False, progress=SILENT)
    assert abs(facts["shifted_frames"][0] - 7.5) < 0.5 and facts["shifted_frames"][1] == 0
    lag = lip_lag(lips, audio.read_audio(tmp_path / "audio.wav")[: len(voice)])
    assert abs(lag.frames + 0.5) < 0.3, "measured again, they are in step"
    assert synchronise(tmp_path, films, keep=True, progress=SILENT) == {"shifted_frames": [0.0, 0.0]}
    assert (tmp_path / "audio.wav").read_bytes() == (tmp_path / "film.wav").read_bytes()
