"""The GPU's kernels: on a GPU where there is one, and interpreted on a CPU anywhere else."""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from against_reference import case, compare
from gaussian_scenes import TROUBLES, cameras, scene
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting import rasterize
from gaussiantalker.splatting.scene import Room
from gaussiantalker.splatting.ssim import ssim

pytest.importorskip("triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
HERE = {"backend": "triton", "device": DEVICE}


@pytest.fixture(autouse=True, scope="module")
def large_chunks():
    """The interpreter spends its time on calls, however long their blocks are."""
    from gaussiantalker.splatting import triton_compositing

    with pytest.MonkeyPatch.context() as patch:
        if DEVICE == "cpu":
            patch.setattr(triton_compositing, "CHUNK", 32)
        yield


scenes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "count": st.integers(0, 40),
        "width": st.integers(1, 30),
        "height": st.integers(1, 20),
        "frames": st.integers(1, 2),
        "sh_degree": st.sampled_from([None, 0, 1, 2, 3]),
        "shared": st.booleans(),
        "background": st.sampled_from([None, "colour", "picture"]),
        "shift": st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
        "troubles": st.frozensets(st.sampled_from(TROUBLES), max_size=6),
    }
)


@settings(max_examples=10 if DEVICE == "cpu" else 100, deadline=None, suppress_health_check=list(HealthCheck))
@given(scenes)
@example(case(troubles=frozenset(TROUBLES), count=70, frames=2, shared=False, background="picture"))
@example(case(count=0, background=None))
@example(case(count=1, width=1, height=1))
@example(case(count=17, sh_degree=3, frames=3, background=None))
@example(case(count=150, sh_degree=None, width=20, height=12))
def test_values_and_gradients_are_the_reference_s(arguments):
    compare(**arguments, **HERE)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_single_trouble_shows(trouble):
    size = {"count": 40, "width": 24, "height": 15, "sh_degree": 0}
    compare(**case(troubles=frozenset([trouble]), shift=(5.0, -3.0), **size), **HERE)


def test_saturated_pixels_over_many_chunks(monkeypatch):
    """A heap of opaque Gaussians, where pixels finish early and tiles retire, in chunks as they are on a GPU."""
    from gaussiantalker.splatting import triton_compositing

    monkeypatch.setattr(triton_compositing, "CHUNK", 8)
    compare(**case(troubles=frozenset(["opaque"]), count=200, width=20, height=12, sh_degree=None), **HERE)


def on_device(sets=1, count=40, sh_degree=1, frames=1, width=30, height=20):
    viewmats, Ks = cameras(frames, width, height)
    inputs = {k: v.to(DEVICE) for k, v in scene(3, count, sh_degree, sets, frozenset()).items()}
    return inputs | {
        "viewmats": viewmats.to(DEVICE), "Ks": Ks.to(DEVICE), "width": width, "height": height, "sh_degree": sh_degree,
        "backend": "triton",
    }  # fmt: skip


def picture():
    inputs = on_device(frames=2)
    leaves = [inputs[name].requires_grad_() for name in ("means", "quats", "scales", "opacities", "colors", "viewmats")]
    image, alpha, _ = rasterize(**inputs)
    (image.square().sum() + alpha.sum()).backward()
    return [image.detach(), *(leaf.grad for leaf in leaves)]


def test_the_same_bits_every_time_and_without_gradients():
    first, again = picture(), picture()
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    with torch.no_grad():
        assert torch.equal(rasterize(**on_device(frames=2))[0], first[0])


def test_a_room_tells_when_it_was_too_small():
    inputs = on_device(count=150)
    image, roomy = rasterize(**inputs)[0], Room(1000)
    assert torch.equal(rasterize(**inputs, room=roomy)[0], image)
    needed = int(roomy.wanted)
    assert 128 < needed < 1000, "else nothing is cut below"
    inputs["means"].requires_grad_()
    narrow = Room(128)
    cut = rasterize(**inputs, room=narrow)[0]
    assert int(narrow.wanted) == needed
    assert not torch.equal(cut, image)
    cut.sum().backward()
    assert torch.isfinite(inputs["means"].grad).all()


def test_depths_carry_gradients():
    inputs = on_device()
    inputs["means"].requires_grad_()
    rasterize(**inputs)[2]["depths"].sum().backward()
    torch.testing.assert_close(inputs["means"].grad, torch.tensor([0.0, 0, 1], device=DEVICE).expand(1, 40, 3))


def test_a_higher_degree_may_wait():
    inputs = on_device(sh_degree=2)
    inputs["colors"].requires_grad_()
    rasterize(**inputs | {"sh_degree": 1})[0].sum().backward()
    assert not inputs["colors"].grad[:, :, 4:].any()
    assert inputs["colors"].grad[:, :, :4].any()


@pytest.mark.parametrize("shape", [(2, 5, 4), (1, 6, 37)])
def test_ssim_and_both_its_gradients(shape):
    from gaussiantalker.splatting.triton_ssim import planes_ssim

    x, y = (torch.rand(shape, device=DEVICE, requires_grad=True) for _ in range(2))
    values, truth = planes_ssim(x, y), ssim(x.double()[:, None], y.double()[:, None])
    torch.testing.assert_close(values.double(), truth, atol=1e-5, rtol=0)
    weights = torch.tensor([-2.0, 1.0], device=DEVICE)[: shape[0]]
    ours, exact = (torch.autograd.grad((v * weights.to(v)).sum(), (x, y)) for v in (values, truth))
    for one, other in zip(ours, exact, strict=True):
        assert (one - other).norm() <= 1e-4 * other.norm()


def without_interpreter(*arguments):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    subprocess.run([sys.executable, *arguments], check=True, env=environment)


@pytest.mark.parametrize("target", ["cuda 90 32", "hip gfx942 64"])
def test_every_kernel_compiles_for_gpus_that_are_not_here(monkeypatch, tmp_path, target):
    """Triton brings both compilers; what its interpreter forgives, they do not."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    without_interpreter(importlib.util.find_spec("compile_kernels").origin, *target.split())


def test_a_cpu_without_the_interpreter_is_told():
    code = """
import torch
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting import rasterize
one = torch.ones(1, 3)
try:
    rasterize(one, torch.ones(1, 4), one, one[:, 0], one, torch.eye(4)[None], torch.eye(3), 2, 2, backend="triton")
except GaussianTalkerError as error:
    assert "not on 'cpu'" in str(error)
else:
    raise AssertionError
"""
    without_interpreter("-c", code)


def test_without_triton_the_remedy_is_said(monkeypatch):
    monkeypatch.delitem(sys.modules, "gaussiantalker.splatting.gpu", raising=False)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(GaussianTalkerError, match="pip install triton"):
        rasterize(**on_device())
