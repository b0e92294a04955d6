"""What capture measures on the bundled speaker, whose truth is exact: six seconds of it, a quarter of its pixels."""

from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gaussiantalker.capture.head_fit import make_head
from gaussiantalker.capture.morphable import PACKED, load_head
from gaussiantalker.capture.sources import Film
from gaussiantalker.media import video
from gaussiantalker.media.image import resize
from gaussiantalker.progress import SILENT

SAMPLES = Path(__file__).parents[2] / "samples"
FRAMES, SIZE = 150, 256


@pytest.fixture(scope="module")
def speaker(model: object, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    model("face-landmarker")
    folder = tmp_path_factory.mktemp("speaker")
    pictures = islice(video.read_frames(SAMPLES / "speaker.mp4"), FRAMES)
    video.write_video(folder / "speaker.mp4", [resize(picture, (SIZE, SIZE)) for picture in pictures], None)
    film = Film((folder / "speaker.mp4",))
    tracked = film.track(folder, SIZE, film.ingest(folder, SIZE, "bisenet", SILENT), SILENT)
    make_head(folder, PACKED, tracked["camera"], SILENT)
    with np.load(folder / "tracking.npz") as tracking, np.load(folder / "head.npz") as head:
        return SimpleNamespace(**tracking, **head)


@pytest.fixture(scope="module")
def truth() -> SimpleNamespace:
    with np.load(SAMPLES / "speaker_truth.npz") as file:
        flip = np.diag([1.0, -1.0, -1.0])
        rotations = file["world2cam"][:3, :3] @ file["head2world"][:FRAMES, :3, :3] @ flip
        # Theirs are radians to the person's left and up.
        return SimpleNamespace(
            rotations=rotations, blink=file["blink"][:FRAMES], gaze=-np.degrees(file["gaze"][:FRAMES])
        )


def bend(rotations: np.ndarray) -> float:
    """Median change of the turn from frame to frame, in degrees."""
    turns = Rotation.from_matrix(np.swapaxes(rotations[:-1], 1, 2) @ rotations[1:]).as_rotvec(degrees=True)
    return float(np.median(np.linalg.norm(np.diff(turns, axis=0), axis=1)))


def test_head_pose(speaker: SimpleNamespace, truth: SimpleNamespace) -> None:
    relative = Rotation.from_matrix(np.swapaxes(speaker.rotations, 1, 2) @ truth.rotations)
    error = np.degrees((relative.mean().inv() * relative).magnitude())
    assert np.median(error) < 1.5, "1.0 over the whole clip, more over its first seconds"
    assert bend(speaker.rotations) < 1.5 * bend(truth.rotations)
    assert np.degrees(relative.mean().magnitude()) < 3


def test_eyes(speaker: SimpleNamespace, truth: SimpleNamespace) -> None:
    for blink in (speaker.blink, speaker.blink_left, speaker.blink_right):
        assert np.corrcoef(blink, truth.blink)[0, 1] > 0.95
    for axis, (least, size) in enumerate(((0.97, 0.25), (0.8, 0.4))):
        assert np.corrcoef(speaker.gaze[:, axis], truth.gaze[:, axis])[0, 1] > least
        assert np.polyfit(truth.gaze[:, axis], speaker.gaze[:, axis], 1)[0] == pytest.approx(1, abs=size)


def test_fitted_head(speaker: SimpleNamespace) -> None:
    assert speaker.residual.mean() < 0.9
    jaw = speaker.expression[:, load_head().expression_names.index("jawOpen")]
    assert np.corrcoef(jaw, speaker.lip_opening)[0, 1] > 0.8
