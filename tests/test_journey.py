"""The main job, small: a video of the synthetic head goes in, an avatar that speaks comes out."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_head import render_clip

from gaussiantalker.capture import Capture, capture
from gaussiantalker.evaluation import evaluate
from gaussiantalker.media.video import read_frames, write_video
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar, baking
from gaussiantalker.training import SCHEDULES, train
from gaussiantalker.training.lip_range import LipRange

FRAMES, SIZE = 100, 128
SHORT = {
    "canonical_steps": 120,
    "deformation_steps": 40,
    "finish_steps": 8,
    "points": 4_000,
    "sh_degree": 1,
    "checkpoint_every": 60,
}


@pytest.fixture(scope="module")
def folders(model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A captured clip and an avatar trained on it for a few seconds."""
    for name in ("face-landmarker", "face-parser", "whisper-tiny-en"):
        model(name)
    folder = tmp_path_factory.mktemp("journey")
    clip = render_clip(frames=FRAMES, size=192, seed=4)
    write_video(folder / "head.mp4", clip.video, clip.audio)
    capture(folder / "head.mp4", folder / "capture", size=SIZE)
    measured = LipRange.code_gain

    def code_gain(lips: LipRange, avatar: Avatar, progress: Progress) -> float:
        assert avatar.blendshapes, "what is measured must be what will speak"
        return measured(lips, avatar, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baking, "SNAPSHOTS", 192)
        patch.setattr(baking, "STEPS", 500)
        patch.setattr(LipRange, "code_gain", code_gain)
        patch.setitem(SCHEDULES, "short", replace(SCHEDULES["demo"], name="short", **SHORT))
        train(folder / "capture", folder / "avatar", schedule="short")
        finished = (folder / "avatar" / "avatar.json").stat().st_mtime_ns
        train(folder / "capture", folder / "avatar", schedule="short")
    assert (folder / "avatar" / "avatar.json").stat().st_mtime_ns == finished, "a second run must do nothing"
    return folder


def test_the_avatar_looks_like_the_person(folders: Path) -> None:
    """Held-out frames: nearer to the truth than the same frames without a head, by far."""
    captured, avatar = Capture.load(folders / "capture"), Avatar.load(folders / "avatar")
    held_out = range(captured.train_frames, captured.frames)
    renders = np.stack(list(avatar.render_capture(captured, held_out))).astype(float)
    truth, plates = captured.images[held_out.start :], captured.plates[held_out.start :]
    head = captured.labels[held_out.start :] == 1
    error, headless = (np.square(pictures - truth)[head].mean() for pictures in (renders, plates.astype(float)))
    assert error < 0.1 * headless
    assert 10 * np.log10(255**2 / error) > 20


def test_it_speaks_for_as_long_as_the_sound(folders: Path) -> None:
    audio = render_clip(frames=30, size=32, seed=9).audio
    path = Avatar.load(folders / "avatar").speak(audio).save(folders / "speaks.mp4")
    pictures = list(read_frames(path))
    assert len(pictures) == 30
    assert pictures[0].shape == (SIZE, SIZE, 3)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def test_its_folder_is_complete(folders: Path) -> None:
    names = {path.name for path in (folders / "avatar").iterdir()}
    body = {"torso.safetensors", "background.png"}
    assert (
        names
        == {"avatar.json", "model.safetensors", "motion.npz", "preview.mp4", "README.md", "blendshapes.safetensors"}
        | body
    )


def test_it_can_be_evaluated(folders: Path) -> None:
    result = evaluate(folders / "avatar", quick=True)
    assert result["metrics"]["psnr_head"]["value"] > 20
    assert result["metrics"]["baking_whole"]["value"] > 35
    assert (folders / "avatar" / "report.html").is_file()
