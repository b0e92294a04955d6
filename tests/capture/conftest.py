"""One drawn clip and its capture, shared by the tests of this room."""

from pathlib import Path

import pytest
from synthetic_head import SyntheticClip, render_clip

from gaussiantalker.capture import Capture, capture
from gaussiantalker.media import video

FRAMES, SIZE = 60, 128


@pytest.fixture(scope="session")
def clip() -> SyntheticClip:
    return render_clip(frames=FRAMES, size=SIZE, seed=3, pose="wide")


@pytest.fixture(scope="session")
def film(clip: SyntheticClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "speaker.mp4"
    video.write_video(path, clip.video, clip.audio)
    return path


@pytest.fixture(scope="session")
def captured(film: Path, model: object, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    model("face-landmarker"), model("face-parser")
    return capture(film, tmp_path_factory.mktemp("out") / "cap", size=SIZE, consent="drawn by a test")
