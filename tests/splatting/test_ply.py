import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting import Gaussians
from gaussiantalker.splatting.ply import read_ply, write_ply


def some(count: int, degree: int) -> Gaussians:
    k = (degree + 1) ** 2
    shapes = {"means": (3,), "quats": (4,), "log_scales": (3,), "opacity_logits": (), "sh": (k, 3)}
    return Gaussians(**{name: torch.randn(count, *shape) for name, shape in shapes.items()})


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9), st.integers(0, 3))
def test_a_round_trip_keeps_every_bit(tmp_path_factory, count, degree):
    path = tmp_path_factory.mktemp("ply") / "head.ply"
    gaussians = some(count, degree)
    write_ply(path, gaussians)
    for name, tensor in read_ply(path).to_dict().items():
        assert torch.equal(tensor, getattr(gaussians, name)), name


def test_the_layout_is_inria_s(tmp_path):
    """Read here by hand, as a viewer does: names in order, harmonics colour by colour."""
    gaussians = some(2, 1)
    write_ply(tmp_path / "a.ply", gaussians)
    header, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n")
    names = [line.split()[2].decode() for line in header.splitlines() if line.startswith(b"property float")]
    expected = "x y z nx ny nz f_dc_0 f_dc_1 f_dc_2 " + " ".join(f"f_rest_{i}" for i in range(9))
    assert names == [*expected.split(), "opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\ncomment ") and b"\nelement vertex 2\n" in header
    row = dict(zip(names, np.frombuffer(body, "<f4")[: len(names)], strict=True))
    assert [row["f_rest_0"], row["f_rest_1"], row["f_rest_3"]] == [
        gaussians.sh[0, 1, 0].item(),
        gaussians.sh[0, 2, 0].item(),
        gaussians.sh[0, 1, 1].item(),
    ]
    assert row["rot_0"] == gaussians.quats[0, 0].item()


def test_other_writers_are_understood(tmp_path):
    """Big-endian doubles, another order, and more properties and elements than needed."""
    names = ["opacity", "x", "y", "z", "rot_0", "rot_1", "rot_2", "rot_3", "f_dc_0", "f_dc_1", "f_dc_2"]
    names += ["scale_0", "scale_1", "scale_2"]
    lines = ["ply", "format binary_big_endian 1.0", "comment by hand", "element vertex 3", "property uchar red"]
    lines += [f"property double {name}" for name in names]
    lines += ["element face 0", "property list uchar int vertex_indices", "end_header\n"]
    rows = np.zeros(3, np.dtype([("red", "u1"), *((name, ">f8") for name in names)]))
    for i, name in enumerate(names):
        rows[name] = i + np.arange(3) / 8
    (tmp_path / "b.ply").write_bytes("\n".join(lines).encode() + rows.tobytes())
    gaussians = read_ply(tmp_path / "b.ply")
    torch.testing.assert_close(gaussians.opacity_logits, torch.arange(3) / 8)
    torch.testing.assert_close(gaussians.means[1], torch.tensor([1.125, 2.125, 3.125]))
    assert gaussians.sh.shape == (3, 1, 3)


def damaged(kind: str) -> bytes:
    whole = b"ply\nformat binary_little_endian 1.0\nelement vertex 5\nproperty float x\nend_header\n"
    return {
        "text": b"hello",
        "ascii": whole.replace(b"binary_little_endian", b"ascii"),
        "mesh": whole + bytes(20),
        "headless": whole.replace(b"end_header", b""),
        "list": whole.replace(b"float x", b"list uchar int x"),
    }[kind]


@pytest.mark.parametrize("kind", ["text", "ascii", "mesh", "headless", "list"])
def test_what_is_no_ply_of_gaussians_is_refused(tmp_path, kind):
    (tmp_path / "c.ply").write_bytes(damaged(kind))
    with pytest.raises(GaussianTalkerError, match=r"c\.ply"):
        read_ply(tmp_path / "c.ply")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"f_rest_3", b"f_test_3"),
        (b"float scale_1", b"float scale_0"),
        (b"property float opacity", b"property float"),
        (b"format binary_little_endian", b"format"),
        (b"element vertex 4", b"element vertex -1"),
        (b"element vertex 4", b"element vertex many"),
        (b"element vertex 4", b"element vertex 99999999999999999999"),
    ],
)
def test_headers_that_make_no_sense_are_refused(tmp_path, old, new):
    write_ply(tmp_path / "e.ply", some(4, 1))
    whole = (tmp_path / "e.ply").read_bytes()
    assert old in whole
    (tmp_path / "e.ply").write_bytes(whole.replace(old, new))
    with pytest.raises(GaussianTalkerError, match=r"e\.ply"):
        read_ply(tmp_path / "e.ply")


@pytest.mark.parametrize("name", ["means", "quats", "sh", "opacity_logits", "log_scales"])
def test_values_that_are_no_numbers_are_refused(tmp_path, name):
    gaussians = some(4, 1)
    getattr(gaussians, name).view(-1)[2] = float("nan")
    write_ply(tmp_path / "f.ply", gaussians)
    with pytest.raises(GaussianTalkerError, match="not finite"):
        read_ply(tmp_path / "f.ply")


def test_missing_and_cut_files_are_refused(tmp_path):
    with pytest.raises(GaussianTalkerError, match="cannot be read"):
        read_ply(tmp_path / "none.ply")
    write_ply(tmp_path / "d.ply", some(4, 0))
    (tmp_path / "d.ply").write_bytes((tmp_path / "d.ply").read_bytes()[:-1])
    with pytest.raises(GaussianTalkerError, match="ends before its 4"):
        read_ply(tmp_path / "d.ply")
