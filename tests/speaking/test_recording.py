"""What a GPU records, with a recorder that any machine has: it runs the work again."""

import numpy as np
import pytest
import torch
from bodies import a_torso

from gaussiantalker.geometry import Camera
from gaussiantalker.speaking.recording import Recorder, on_a_graph
from gaussiantalker.speaking.rendering import Renderer
from gaussiantalker.splatting import rasterization
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, Drive, Talker, find_method

CPU, SIZE = torch.device("cpu"), 24
DEVICE = torch.device("cuda") if torch.cuda.is_available() else CPU
CAMERA = Camera(70.0, SIZE / 2, SIZE / 2, SIZE, SIZE)


class Tape:
    """Counts recordings and replays."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def record(self, run):
        self.recorded += 1
        run()

        def replay() -> None:
            self.replayed += 1
            run()

        return replay


def test_each_shape_is_recorded_once_and_replayed_with_new_inputs() -> None:
    tape = Tape()
    recorder = Recorder(lambda parts, more, room: parts["a"] + more, CPU, tape.record)
    for k in range(3):
        np.testing.assert_array_equal(recorder.pictures({"a": torch.full((2,), k)}, torch.ones(2)), [k + 1, k + 1])
    assert (tape.recorded, tape.replayed) == (1, 3)
    first = recorder.pictures({"a": torch.zeros(3)}, torch.ones(3))
    assert (tape.recorded, tape.replayed) == (2, 4)
    recorder.pictures({"a": torch.ones(3)}, torch.ones(3))
    np.testing.assert_array_equal(first, [1, 1, 1], "a picture is the caller's own")


def test_a_picture_that_wants_more_room_is_recorded_anew() -> None:
    tape = Tape()

    def work(wanted, room):
        room.wanted = wanted.sum()
        return wanted.clamp_max(room.capacity)

    recorder = Recorder(work, CPU, tape.record)
    for wanted, recordings in ((100, 1), (149, 1), (151, 2), (10, 2), (220, 2), (227, 3)):
        assert recorder.pictures(torch.tensor([wanted])) == [wanted]
        assert tape.recorded == recordings


def test_what_cannot_be_recorded_is_launched_piece_by_piece() -> None:
    def refuse(run):
        raise RuntimeError("operation not permitted when stream is capturing")

    recorder = Recorder(lambda part, room: part + 1, CPU, refuse)
    with pytest.warns(UserWarning, match="more slowly"):
        assert recorder.pictures(torch.tensor([1])) == [2]
    assert recorder.pictures(torch.tensor([5])) == [6]


@pytest.mark.parametrize("torso", [False, True])
def test_recorded_pictures_are_the_same(torso: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    rng = np.random.default_rng(0)
    talker = Talker(find_method("gaussiantalker-star"), Gaussians.from_points(rng.normal(size=(20, 3)), sh_degree=0), 6)
    body = a_torso(SIZE).to(DEVICE) if torso else None
    renderer, tape = Renderer(talker.eval().to(DEVICE), CAMERA, body), Tape()
    recorder = Recorder(renderer.draw, DEVICE, tape.record if DEVICE == CPU else on_a_graph)
    viewmats = torch.eye(4).expand(2, 4, 4).clone()
    viewmats[:, 2, 3] = 8
    for k in range(2):
        seen = {AUDIO: torch.randn(2, 8, 16, 6), EYE: torch.rand(2)}
        drive = Drive(seen, viewmats + 0.01 * k, torch.arange(2), torch.ones(2))
        plates = torch.from_numpy(rng.integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8))
        behind = torch.randn(2, body.numbers) if body else plates
        expected = renderer.draw(drive.to(DEVICE), behind.to(DEVICE)).cpu().numpy()
        with monkeypatch.context() as on_gpu, torch.inference_mode():
            on_gpu.setattr(rasterization, "_backend_for", lambda means: "triton")
            pictures = recorder.pictures(drive, behind)
        assert np.abs(pictures.astype(int) - expected).max() <= 1
    assert tape.recorded == (DEVICE == CPU)
