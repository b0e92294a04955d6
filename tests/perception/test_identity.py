"""Similarity transforms, and the recognition network against facts about faces."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut

from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.perception.identity import Identity, _aligned, _network, _similarity


@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.floats(0.1, 10), st.floats(-50, 50))
def test_a_similarity_is_found_exactly(seed: int, angle: float, scale: float, shift: float) -> None:
    points = np.random.default_rng(seed).normal(size=(5, 2)) * 20
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    moved = points @ np.array([[c, s], [-s, c]]) + [shift, -shift]
    matrix = _similarity(points, moved)
    assert points @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(moved, abs=1e-6)


def test_alignment_puts_the_points_where_they_belong() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    points = np.array([[60, 80], [130, 80], [95, 120], [66, 160], [124, 160]])
    picture[78:83, 58:63] = 255
    rows, columns = np.nonzero(_aligned(picture, points)[..., 0])
    assert (columns.mean(), rows.mean()) == pytest.approx((38, 51), abs=4)


def test_a_face_is_itself_and_not_its_reflection_in_noise(model: Callable[[str], Path]) -> None:
    model("face-identity"), model("face-landmarker")
    identity, landmarker = Identity(), Landmarker()
    picture = astronaut()[:300, 100:400]
    points = landmarker.detect(picture).points[:, :2]
    own = identity.embedding(picture, points)
    darker = identity.embedding((picture * 0.7).astype(np.uint8), points)
    noise = identity.embedding(np.random.default_rng(0).integers(0, 256, picture.shape, dtype=np.uint8), points)
    assert own.shape == (128,) and own @ own == pytest.approx(1)
    assert own @ darker > 0.8
    assert own @ noise < 0.4


@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x3a\x02\x0a\x00"])
def test_a_file_that_is_no_network_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(content)
    with pytest.raises(GaussianTalkerError, match="remove it to fetch it again"):
        _network(file)
