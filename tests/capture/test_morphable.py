"""Morphable heads: the packed one, and what somebody might bring."""

from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.capture.face_mesh import INNER_LIPS, OUTER_EYE_CORNERS
from gaussiantalker.capture.morphable import (
    EYE,
    INSIDE_MOUTH,
    PACKED,
    REGIONS,
    SKIN,
    TEETH,
    TONGUE,
    MorphableHead,
    load_head,
)
from gaussiantalker.errors import GaussianTalkerError


@pytest.fixture(scope="module")
def head() -> MorphableHead:
    return load_head()


def simple() -> dict[str, np.ndarray]:
    """Three triangles and two landmarks in millimetres, far from the origin."""
    vertices = np.array([[-40, 0, 0], [40, 0, 0], [0, 60, -20], [0, -30, 10]], float) + 300
    return {
        "vertices": vertices,
        "triangles": np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3]]),
        "regions": np.zeros(4, int),
        "identity": np.ones((1, 4, 3)),
        "expression": np.full((2, 4, 3), 8.0),
        "expression_names": np.array(["jawOpen", "own"]),
        "landmarks": np.array(OUTER_EYE_CORNERS),
        "landmark_vertices": np.array([[0, 1, 2], [1, 2, 3]]),
        "landmark_shares": np.array([[1.0, 0, 0], [1, 0, 0]]),
    }


def test_packed_head_is_a_head_in_the_head_frame(head: MorphableHead) -> None:
    corners = head.at_landmarks(head.vertices)[[list(head.landmarks).index(k) for k in OUTER_EYE_CORNERS]]
    assert np.allclose(corners[1] - corners[0], [1, 0, 0], atol=0.02) and np.allclose(corners.sum(0), 0, atol=1e-5)
    assert len(head.landmarks) > 350 and len(head.expression_names) == 52 and "tongueOut" in head.expression_names
    assert PACKED.stat().st_size < 2e6 and PACKED.with_name("morphable_head.LICENSE.md").exists()
    counts = dict(zip(REGIONS, np.bincount(head.regions, minlength=len(REGIONS)), strict=True))
    assert all(count > 50 for count in counts.values()), counts
    nose = head.at_landmarks(head.vertices)[list(head.landmarks).index(1)]
    assert nose[2] < -0.3 and 0.2 < nose[1] < 0.7, "the nose points to the viewer"
    for part in (TEETH, TONGUE, EYE):
        assert head.vertices[head.regions == part][:, 2].min() > nose[2]


def test_surface_looks_outwards(head: MorphableHead) -> None:
    corners = head.vertices[head.triangles[(head.regions[head.triangles] == SKIN).all(1)]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = (normals * (corners.mean(1) - [0, 0.3, 0.6])).sum(1)
    assert (outwards > 0).mean() > 0.8


def test_units_do_what_their_names_say(head: MorphableHead) -> None:
    jaw = head.expression[head.expression_names.index("jawOpen")]
    lips = head.at_landmarks(jaw)[[list(head.landmarks).index(k) for k in INNER_LIPS]]
    assert lips[1, 1] - lips[0, 1] > 0.2
    assert np.abs(jaw[np.isin(head.regions, INSIDE_MOUTH)]).max() > 0.1, "lower teeth and tongue go with the jaw"
    blink = head.expression[head.expression_names.index("eyeBlinkLeft")]
    moved = np.linalg.norm(blink, axis=1)
    assert np.average(head.vertices[:, 0], weights=moved) > 0.2, "the person's left is to the picture's right"


def test_lengths_may_be_whole_steps_or_any_unit(tmp_path: Path) -> None:
    arrays = simple()
    np.savez(tmp_path / "a.npz", **arrays)
    whole = {k: v.astype(np.int32) if k in ("vertices", "identity", "expression") else v for k, v in arrays.items()}
    np.savez(tmp_path / "b.npz", **whole, step=np.array(0.1))
    for name in "ab":
        head = load_head(tmp_path / f"{name}.npz")
        assert np.allclose(head.vertices, [[-0.5, 0, 0], [0.5, 0, 0], [0, 0.75, -0.25], [0, -0.375, 0.125]])
        assert np.allclose(head.expression, 0.1) and np.allclose(head.identity, 1 / 80)


def test_broken_heads_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "head.npz"
    with pytest.raises(GaussianTalkerError, match="does not exist"):
        load_head(file)
    file.write_bytes(b"no head at all")
    with pytest.raises(GaussianTalkerError, match=r"not a numpy \.npz file"):
        load_head(file)
    for change, words in (
        ({"regions": None}, "lacks regions"),
        ({"identity": np.ones((1, 5, 3))}, "identity is"),
        ({"triangles": np.array([[0, 1, 9]])}, "triangles must lie between 0 and 3"),
        ({"regions": np.full(4, 99)}, "regions must lie between 0 and 7"),
        ({"landmarks": np.array([1, 2])}, "eye corners"),
        ({"landmarks": np.array([[33], [263]])}, "landmarks is"),
        ({"step": np.array(["text"])}, "step must be one number"),
        ({"step": np.array(np.nan)}, "step must be one number"),
        ({"step": np.ones(3)}, "step must be one number"),
        ({"step": np.ones(1)}, "step must be one number"),
        ({"expression_names": np.array(["text", "text"])}, "expression_names are the same"),
        ({"expression_names": np.array([["jawOpen"], ["own"]])}, "expression_names is"),
        ({"triangles": np.array([[0.0, 1.0, 2.5]])}, "lacks triangles"),
        ({"vertices": np.zeros((4, 3))}, "eye corners are 0 apart"),
    ):
        np.savez(file, **{k: v for k, v in (simple() | change).items() if v is not None})
        with pytest.raises(GaussianTalkerError, match=words):
            load_head(file)
