"""An avatar's folder, and speech from it."""

import shutil
import threading
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from bodies import a_torso
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import Camera
from gaussiantalker.media.files import read_json, write_json
from gaussiantalker.speaking import Avatar, Background, FrameStream, Motion, Steering
from gaussiantalker.speaking.background import GREEN
from gaussiantalker.speaking.director import Director
from gaussiantalker.speech.logmel import LogMel
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import METHODS, Talker, Torso, WindowListener, find_method

SIZE = 48


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """Coloured dots before a grey plate, whose places depend on the sound."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    listener = WindowListener.fit(LogMel(), syllables(500, 48_000), channels=6)
    gaussians = Gaussians.from_points(rng.normal(size=(80, 3)), rng.random((80, 3)), sh_degree=1)
    talker = Talker(find_method("gaussiantalker-star"), gaussians, listener.channels)
    torch.nn.init.normal_(talker.offsets.last["means"].weight, std=1.0)
    motion = Motion(np.tile(np.eye(3), (5, 1, 1)), np.linspace([-1, 0, 8], [1, 0, 8], 5), np.linspace(0, 1, 5))
    plates = np.full((5, SIZE, SIZE, 3), 90, np.uint8)
    camera = Camera(70.0, SIZE / 2, SIZE / 2, SIZE, SIZE)
    return Avatar({}, talker.eval().requires_grad_(False), listener, camera, motion, plates)


@pytest.fixture(scope="module")
def folder(avatar: Avatar, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("avatars") / "dots"
    avatar.save(path)
    return path


def syllables(pitch: float, samples: int = 20_500) -> np.ndarray:
    """A tone that comes and goes six times a second: steady sound would pass for the room's noise."""
    time = np.arange(samples) / 16_000
    return (0.3 * np.sin(2 * np.pi * pitch * time) * np.sin(2 * np.pi * 3 * time) ** 2).astype(np.float32)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return syllables(pitch=300)


def images(frames) -> np.ndarray:
    return np.stack([frame.image for frame in frames])


def test_a_saved_avatar_speaks_as_before(avatar: Avatar, folder: Path, sound: np.ndarray) -> None:
    """The plates pass through a video codec, so pictures may differ by a shade."""
    before, after = images(avatar.speak(sound)), images(Avatar.load(folder, exact=True).speak(sound))
    assert np.abs(before.astype(int) - after).max() <= 4
    assert before.std(axis=0).max() > 5, "the test must show something that moves"


def test_a_picture_for_every_started_frame_with_its_sound(avatar: Avatar, sound: np.ndarray) -> None:
    frames = list(avatar.speak(sound))
    assert [frame.index for frame in frames] == list(range(33))
    played = np.concatenate([frame.samples for frame in frames])
    np.testing.assert_array_equal(played[: len(sound)], sound)
    assert not played[len(sound) :].any()


def test_a_stream_gives_the_frames_of_the_whole(avatar: Avatar, sound: np.ndarray) -> None:
    pieces = np.split(sound, [100, 5_000, 5_001, 12_345])
    streamed = images(avatar.stream(pieces)).astype(int)
    assert np.abs(streamed - images(avatar.speak(sound))).max() <= 1


def test_frames_come_before_the_sound_ends(avatar: Avatar, sound: np.ndarray) -> None:
    """Live speech must not wait for the end: after a second of sound, half a second of frames is there."""
    second = np.tile(sound, 2)[:16_000]
    arrived = next(frame for frame in avatar.stream(iter([second, second])) if frame.index == 12)
    assert arrived.samples.shape == (640,)


def test_the_mouth_hears(avatar: Avatar, sound: np.ndarray) -> None:
    other = images(avatar.speak(syllables(pitch=1_200))).astype(int)
    assert np.abs(other - images(avatar.speak(sound))).max() >= 2


def test_a_mouth_that_does_not_articulate_is_silent(avatar: Avatar, sound: np.ndarray) -> None:
    def pictures(samples: np.ndarray, **how: float) -> np.ndarray:
        return np.stack([frame.image for frame in avatar.speak(samples, **how)]).astype(int)

    silent = pictures(np.zeros_like(sound))
    away = [np.abs(pictures(sound, articulation=much) - silent).mean() for much in (0, 0.5, 1, 2)]
    assert away[0] < 0.05 and away == sorted(away) and away[2] > 10 * away[0] + 0.01
    assert np.array_equal(pictures(sound, articulation=1), pictures(sound))
    for nonsense in (-0.1, 2.5, float("nan")):
        with pytest.raises(GaussianTalkerError, match="articulation cannot be .*: give a number from 0"):
            avatar.speak(sound, articulation=nonsense)


def test_a_performance_is_written_with_sound(avatar: Avatar, sound: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sound, 16_000)
    assert avatar.speak(tmp_path / "a.wav").save(tmp_path / "a.mp4").stat().st_size > 1_000


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [("avatar.json", "is not an avatar"), ("model.safetensors", "incomplete"), ("plates.mp4", "incomplete")],
)
def test_a_folder_with_a_file_missing(folder: Path, tmp_path: Path, missing: str, sentence: str) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / missing).unlink()
    with pytest.raises(GaussianTalkerError, match=sentence):
        Avatar.load(tmp_path / "copy")


def test_a_folder_of_another_format(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    write_json(tmp_path / "copy" / "avatar.json", {**read_json(folder / "avatar.json"), "format": 99})
    with pytest.raises(GaussianTalkerError, match="format 99"):
        Avatar.load(tmp_path / "copy")


def test_its_own_values_build_it_whatever_a_name_has_come_to_mean(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_json(folder / "avatar.json")["method"]
    changed = replace(find_method("gaussiantalker-star"), attention_heads=4, period=25)
    monkeypatch.setitem(METHODS, changed.name, changed)
    method = Avatar.load(folder, exact=True).talker.method
    assert (method.attention_heads, method.period) == (2, 0)
    assert asdict(method) == {name: tuple(v) if isinstance(v, list) else v for name, v in before.items()}


def test_a_method_of_ones_own_is_kept(avatar: Avatar, tmp_path: Path) -> None:
    method = replace(find_method("egstalker"), name="mine", title="Mine", hash_resolutions=(4, 9), agents=3)
    gaussians = Gaussians.from_dict(dict(avatar.talker.raw.items()))
    talker = Talker(method, gaussians, avatar.listener.channels).eval().requires_grad_(False)
    replace(avatar, talker=talker).save(tmp_path / "mine")
    loaded = Avatar.load(tmp_path / "mine", exact=True).talker
    assert loaded.method == method
    for name, value in talker.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_a_folder_with_a_torso_of_before_says_so(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    write_json(tmp_path / "copy" / "avatar.json", {**read_json(folder / "avatar.json"), "torso": "field"})
    with pytest.raises(GaussianTalkerError, match="train it again"):
        Avatar.load(tmp_path / "copy")


def test_a_folder_of_format_2_is_read(avatar: Avatar, folder: Path, tmp_path: Path) -> None:
    """It had the method's name alone, and other names of the conditions' tensors."""
    shutil.copytree(folder, tmp_path / "copy")
    old = {**read_json(folder / "avatar.json"), "format": 2, "method": "gaussiantalker-star"}
    write_json(tmp_path / "copy" / "avatar.json", old)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    names = {
        "conditions.camera.mean": "pose_mean",
        "conditions.camera.scale": "pose_scale",
        "conditions.audio.speech": "conditions.speech",
        ".widen": "",
        "conditions.null.vector": "conditions.null",
    }
    for today, then in names.items():
        assert any(today in name for name in tensors)
        tensors = {name.replace(today, then): tensor for name, tensor in tensors.items()}
    save_file(tensors, tmp_path / "copy" / "model.safetensors")
    talker = Avatar.load(tmp_path / "copy", exact=True).talker
    assert talker.method == find_method("gaussiantalker-star")
    for name, value in avatar.talker.state_dict().items():
        assert torch.equal(talker.state_dict()[name], value), name


def test_a_condition_that_the_avatar_does_not_have_is_one_sentence(avatar: Avatar, sound: np.ndarray) -> None:
    with pytest.raises(GaussianTalkerError, match="takes no condition 'mood'"):
        avatar.speak(sound, conditions={"mood": 1.0})


@pytest.mark.parametrize(
    "damage",
    [
        {"layers": "two"},
        {"attention_heads": 3},
        {"attention_heads": 0},
        {"fusion": "glue"},
        {"resolutions": [64, None]},
        {"resolutions": [100_000, 100_000]},
        {"deformed": ["ears"]},
        {"unknown": 1},
        {"name": None},
    ],
)
def test_damaged_values_are_one_sentence(folder: Path, tmp_path: Path, damage: dict) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    told = read_json(folder / "avatar.json")
    write_json(tmp_path / "copy" / "avatar.json", {**told, "method": {**told["method"], **damage}})
    with pytest.raises(GaussianTalkerError):
        Avatar.load(tmp_path / "copy")


@pytest.mark.parametrize("name", ["rotations", "translations", "blink", "closed"])
@pytest.mark.parametrize(
    "damage", [lambda a: a[..., None].repeat(2, -1), lambda a: a.astype(str), lambda a: a[:0], lambda a: a + np.nan]
)
def test_motion_of_another_shape_or_kind_is_one_sentence(folder: Path, tmp_path: Path, name: str, damage) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    with np.load(folder / "motion.npz") as opened:
        arrays = dict(opened)
    np.savez(tmp_path / "copy" / "motion.npz", **arrays | {name: damage(np.atleast_1d(arrays[name]))})
    with pytest.raises(GaussianTalkerError, match="damaged"):
        Avatar.load(tmp_path / "copy")


def test_tensors_of_another_kind_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    tensors = load_file(folder / "model.safetensors")
    tensors["talker.raw.quats"] = tensors["talker.raw.quats"].to(torch.int16)
    save_file(tensors, tmp_path / "copy" / "model.safetensors")
    with pytest.raises(GaussianTalkerError, match="damaged"):
        Avatar.load(tmp_path / "copy")


@pytest.fixture(scope="module")
def bodied(avatar: Avatar, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one with a torso."""
    path, torso = tmp_path_factory.mktemp("avatars") / "bodied", a_torso(SIZE)
    replace(avatar, plates=None, torso=torso, motion=avatar.motion.with_body(torso)).save(path)
    return path


def test_an_avatar_with_a_torso_is_read_as_it_was_written(bodied: Path) -> None:
    loaded, torso = Avatar.load(bodied, exact=True), a_torso(SIZE)
    for name, tensor in torso.state_dict().items():
        assert torch.equal(tensor, loaded.torso.state_dict()[name]), name
    assert loaded.motion.codes.shape == (5, torso.numbers)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("texture", lambda t: t.float()),
        ("texture", lambda t: t[:, 1:]),
        ("shades", lambda t: t[:, :2]),
        ("shades", lambda t: t.half()),
        ("shade_scale", lambda t: t[1:]),
        ("flow", lambda t: t[:, :1]),
        ("flow", lambda t: t.double()),
        ("habits", lambda t: t * torch.nan),
        ("pose_mean", lambda t: t[1:]),
        ("origin", lambda t: t + 1_000),
    ],
)
def test_a_damaged_torso_is_one_sentence(bodied: Path, tmp_path: Path, name: str, damage) -> None:
    shutil.copytree(bodied, tmp_path / "copy")
    tensors = load_file(bodied / "torso.safetensors")
    save_file(tensors | {name: damage(tensors[name]).contiguous()}, tmp_path / "copy" / "torso.safetensors")
    with pytest.raises(GaussianTalkerError, match="damaged"):
        Avatar.load(tmp_path / "copy", exact=True)


def test_a_server_may_render_one_avatar_in_several_threads(avatar: Avatar, sound: np.ndarray) -> None:
    expected, seen = images(avatar.speak(sound)), {}
    start = threading.Barrier(3)

    def work(name: int) -> None:
        torch.set_num_threads(1 + name % 2)
        start.wait()
        seen[name] = images(avatar.speak(sound))

    workers = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for name in range(3):
        np.testing.assert_array_equal(seen[name], expected)


def test_fifty_pictures_a_second_lie_between_those_of_twenty_five(avatar: Avatar, sound: np.ndarray) -> None:
    """Every second picture is the one that it was; what moves the head in the others lies between its neighbours'."""
    slow, fast = list(avatar.speak(sound)), list(avatar.speak(sound, fps=50))
    assert len(fast) == len(avatar.speak(sound, fps=50)) == 2 * len(slow)
    assert [frame.seconds for frame in fast[:4]] == [0, 0.02, 0.04, 0.06]
    assert np.abs(images(fast[::2]).astype(int) - images(slow)).max() <= 1
    np.testing.assert_array_equal(np.concatenate([f.samples for f in fast]), np.concatenate([f.samples for f in slow]))
    pictures = images(fast).astype(float)
    apart = np.abs(pictures[2:] - pictures[:-2]).mean(axis=(1, 2, 3))
    steps = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    moving = apart[::2] > 0.5
    assert moving.any() and (np.maximum(steps[:-1], steps[1:])[::2][moving] < 0.95 * apart[::2][moving]).mean() > 0.9
    with pytest.raises(GaussianTalkerError, match="give 25 or 50"):
        list(avatar.speak(sound, fps=30))


def test_a_stream_of_fifty_is_the_same_in_pieces(avatar: Avatar, sound: np.ndarray) -> None:
    stream, frames = FrameStream(avatar, 50), []
    for piece in np.split(sound, [100, 5_000, 5_001, 12_345]):
        frames += stream.push(piece)
    frames += stream.finish()
    assert [frame.index for frame in frames] == list(range(66))
    assert np.abs(images(frames).astype(int) - images(avatar.speak(sound, fps=50))).max() <= 1
    assert FrameStream(avatar, 50).finish() == []


def test_poses_and_blinks_of_frames_between() -> None:
    motion = Motion(np.tile(np.eye(3), (5, 1, 1)), np.linspace([-1, 0, 8], [1, 0, 8], 5), np.linspace(0, 1, 5))
    take = Director(motion, 1.0, None).take(np.zeros((4, 2), np.float32), 1.5, None, 0.5)
    np.testing.assert_allclose(take.drive.viewmats[:, 0, 3], [-0.25, 0, 0.25, 0.5], atol=1e-6)
    np.testing.assert_allclose(take.drive.conditions["eye"], [0.375, 0.5, 0.625, 0.75])
    assert take.drive.frames.tolist() == [1, 2, 2, 3]


def test_an_avatar_of_recorded_plates_cannot_be_cut_out(avatar: Avatar, sound: np.ndarray) -> None:
    with pytest.raises(GaussianTalkerError, match="cannot be cut out"):
        avatar.speak(sound, background="green")


def test_another_background_is_behind_an_avatar_and_the_mark_stays(avatar: Avatar, sound: np.ndarray) -> None:
    """Where nobody is, the new background, but for the mark; the person as before."""
    state = a_torso(SIZE, top=SIZE // 2).state_dict()
    texture = torch.full_like(state["texture"], 40)
    texture[3] = 255
    torso = Torso({**state, "texture": texture}, np.full((SIZE, SIZE, 3), 230, np.uint8))
    whole = replace(avatar, plates=None, torso=torso, camera=replace(avatar.camera, focal=20.0))
    own, green, clear = (next(iter(whole.speak(sound, background=b))).image for b in (None, "green", "transparent"))
    assert own.shape == green.shape == (SIZE, SIZE, 3) and clear.shape == (SIZE, SIZE, 4)
    nobody = clear[..., 3] == 0
    assert 0.1 < nobody.mean() < 0.95
    marked = whole.watermark.mark(np.tile(np.array(GREEN, np.uint8), (SIZE, SIZE, 1)))
    np.testing.assert_array_equal(green[nobody], marked[nobody])
    solid = clear[..., 3] == 255
    assert solid.any() and np.abs(green[solid].astype(int) - own[solid]).max() <= 2
    steering = Steering(background=Background.of("white"))
    heard = whole.listener.silence[None]
    assert next(iter(whole.perform(heard, 0, steering)))[nobody].min() > 240


def test_what_it_has_learnt_is_hashed_once_for_a_film(
    avatar: Avatar, sound: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed, of = [], Talker.state_dict
    monkeypatch.setattr(Talker, "state_dict", lambda *given, **more: hashed.append(1) or of(*given, **more))
    performance = avatar.speak(sound, articulation=0.5)
    next(iter(performance))
    assert performance.provenance and len(hashed) == 1
