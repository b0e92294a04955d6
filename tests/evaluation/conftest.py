"""A small capture and an avatar that stand in for the real ones: a square mouth opens and shuts in a square face."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gaussiantalker.capture.face_mesh import INNER_LIPS, OUTER_EYE_CORNERS
from gaussiantalker.capture.landmarker import POINTS
from gaussiantalker.evaluation.held_out import Inputs, Reference, Rendering
from gaussiantalker.progress import SILENT

SIZE, FRAMES, HELD = 48, 220, 40


def face(opening: float, shade: int = 150) -> np.ndarray:
    """uint8 [48, 48, 3]: a head on a background, the mouth's brightness telling how far it is open."""
    picture = np.full((SIZE, SIZE, 3), 60, np.uint8)
    picture[8:40, 10:38] = shade
    picture[28:34, 18:30] = round(255 * opening)
    return picture


class MouthReader:
    """Sees the face in such a picture; knows the opening from the mouth's brightness."""

    def detect(self, picture: np.ndarray) -> SimpleNamespace | None:
        if picture.max() == 0:
            return None
        points = np.random.default_rng(0).random((POINTS, 3)) * SIZE
        points[list(OUTER_EYE_CORNERS)] = (14, 18, 0), (34, 18, 0)
        opening = picture[31, 24, 0] / 255
        points[list(INNER_LIPS)] = (24, 30, 0), (24, 30 + 20 * opening, 0)
        return SimpleNamespace(points=points, blendshapes=np.full(52, opening))


class FakeAvatar:
    """Renders the truth with a mouth that opens nine tenths as far, `late` frames late."""

    def __init__(self, openings: np.ndarray, late: int = 0) -> None:
        self.openings = np.roll(openings, late) * 0.9
        self.info = {"training": {"seconds": 90.0, "curve": [(25, 0.2, 20.0), (50, 0.1, 25.0)]}}
        self.camera = SimpleNamespace(width=SIZE)
        self.talker = torch.nn.Linear(3, 4)
        self.talker.device = torch.device("cpu")
        self.talker.raw = {"means": torch.zeros(7, 3)}
        self.talker.method = SimpleNamespace(name="gaussiantalker-star")
        self.listener = self.torso = self.blendshapes = None
        self.articulation = 1.0

    def directed(self, articulation: float) -> "FakeAvatar":
        return self

    def render_capture(self, capture: SimpleNamespace, frames: Sequence[int]) -> Iterator[np.ndarray]:
        return (face(self.openings[k]) for k in frames)

    def stream(self, chunks: Iterable[np.ndarray]) -> Iterator[SimpleNamespace]:
        """Two pieces of sound must have arrived after a picture's own."""
        heard: list[np.ndarray] = []
        for piece in chunks:
            heard.append(piece)
            if len(heard) > 2:
                yield SimpleNamespace(index=len(heard) - 3, image=face(0.5), samples=heard[len(heard) - 3])
        for k in range(max(len(heard) - 2, 0), len(heard)):
            yield SimpleNamespace(index=k, image=face(0.5), samples=heard[k])

    def speak(self, audio: np.ndarray) -> Iterator[SimpleNamespace]:
        for k in range(-(-len(audio) // 640)):
            yield SimpleNamespace(
                index=k, image=face(self.openings[k % FRAMES]), samples=audio[k * 640 : (k + 1) * 640]
            )


@pytest.fixture
def performer(openings: np.ndarray) -> Callable[..., FakeAvatar]:
    """`performer(late=2)` makes an avatar."""
    return lambda late=0: FakeAvatar(openings, late)


@pytest.fixture
def mouth_reader() -> MouthReader:
    return MouthReader()


@pytest.fixture
def openings() -> np.ndarray:
    """Openings [220] in [0, 1]: shut in every second second."""
    k = np.arange(FRAMES)
    return np.where(k % 50 < 30, 0.4 + 0.3 * np.sin(k * 0.9) * np.sin(k * 0.13), 0.02)


@pytest.fixture
def capture(openings: np.ndarray, tmp_path: Path) -> SimpleNamespace:
    """With sound as loud as the mouth is open."""
    rng = np.random.default_rng(0)
    loud = np.repeat(np.where(openings > 0.05, openings, 0.0), 640)
    labels = np.zeros((FRAMES, SIZE, SIZE), np.uint8)
    labels[:, 8:40, 10:38] = 1
    labels[:, 40:, 16:32] = 2
    return SimpleNamespace(
        path=tmp_path / "capture",
        fingerprint="of the stand-in",
        size=SIZE,
        frames=FRAMES,
        train_frames=FRAMES - HELD,
        images=np.stack([face(opening) for opening in openings]),
        labels=labels,
        audio=(0.2 * loud * rng.normal(size=len(loud))).astype(np.float32),
        tracking=SimpleNamespace(found=np.ones(FRAMES, bool), lip_opening=openings.astype(np.float32)),
    )


@pytest.fixture
def reference(capture: SimpleNamespace, mouth_reader: MouthReader) -> Reference:
    return Reference(capture, Inputs(), lambda: mouth_reader, SILENT)


@pytest.fixture
def rendering(reference: Reference, performer: Callable[..., FakeAvatar], tmp_path: Path) -> Rendering:
    folder = tmp_path / "avatar"
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(bytes(2_000_000))
    return Rendering.of(performer(), folder, reference, tmp_path)
