import threading

import pytest
import torch
from against_reference import case, compare
from gaussian_scenes import TROUBLES, cameras, scene
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting import rasterize

scenes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "count": st.integers(0, 70),
        "width": st.integers(1, 50),
        "height": st.integers(1, 40),
        "frames": st.integers(1, 3),
        "sh_degree": st.sampled_from([None, 0, 1, 2, 3]),
        "shared": st.booleans(),
        "background": st.sampled_from([None, "colour", "picture"]),
        "shift": st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
        "troubles": st.frozensets(st.sampled_from(TROUBLES), max_size=6),
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(scenes)
@example(case(troubles=frozenset(TROUBLES), count=70, frames=2, shared=False, background="picture"))
@example(case(count=0))
@example(case(count=1, width=1, height=1))
@example(case(count=17, sh_degree=3, frames=3, background=None))
def test_values_and_gradients_are_the_reference_s(arguments):
    compare(**arguments, backend="numba")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_single_trouble_shows(trouble):
    compare(**case(troubles=frozenset([trouble]), count=60, frames=2, shift=(5.0, -3.0)), backend="numba")


def test_saturated_pixels():
    """A heap of opaque Gaussians, where pixels finish early and tiles retire."""
    compare(**case(troubles=frozenset(["opaque"]), count=600, width=64, height=48), backend="numba")


def picture(threads: int, **options):
    torch.set_num_threads(threads)
    viewmats, Ks = cameras(2, 90, 70)
    inputs = {k: v.requires_grad_() for k, v in scene(3, 700, 3, 1, frozenset()).items()}
    viewmats.requires_grad_()
    image, alpha, _ = rasterize(**inputs, viewmats=viewmats, Ks=Ks, width=90, height=70, sh_degree=3, **options)
    (image.square().sum() + alpha.sum()).backward()
    return [image.detach(), *(v.grad for v in inputs.values()), viewmats.grad]


def test_the_same_bits_every_time_and_for_any_number_of_threads():
    first = picture(2)
    for threads in (2, 1, 3):
        again = picture(threads)
        # Sums over frames and Gaussians that torch takes may depend on the number of threads.
        kernels = slice(None) if threads == 2 else slice(0, -1)
        for a, b in zip(first[kernels], again[kernels], strict=True):
            assert torch.equal(a, b)


def test_several_python_threads_may_render_at_once():
    expected = picture(2)
    wrong = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(not torch.equal(a, b) for a, b in zip(expected, picture(2), strict=True))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(wrong) == 4 * 5 * len(expected)
    assert not any(wrong)


def test_one_set_of_attributes_is_the_same_as_one_per_frame():
    viewmats, Ks = cameras(3, 40, 30)
    shared = scene(5, 50, 1, 1, frozenset())
    flat = {name: values[0] for name, values in shared.items()}
    repeated = {name: values.repeat(3, *[1] * (values.ndim - 1)) for name, values in shared.items()}
    size = {"Ks": Ks[0], "width": 40, "height": 30, "sh_degree": 1}
    pictures = [rasterize(**values, viewmats=viewmats, **size)[0] for values in (shared, flat, repeated)]
    assert torch.equal(pictures[0], pictures[1])
    assert torch.equal(pictures[0], pictures[2])


def test_a_higher_degree_may_wait():
    """Coefficients above sh_degree change nothing and receive zeros."""
    viewmats, Ks = cameras(1, 32, 32)
    inputs = scene(6, 40, 3, 1, frozenset())
    low = inputs | {"colors": inputs["colors"][:, :, :4]}
    inputs["colors"].requires_grad_()
    image, _, _ = rasterize(**inputs, viewmats=viewmats, Ks=Ks, width=32, height=32, sh_degree=1)
    assert torch.equal(image, rasterize(**low, viewmats=viewmats, Ks=Ks, width=32, height=32, sh_degree=1)[0])
    image.sum().backward()
    assert not inputs["colors"].grad[:, :, 4:].any()
    assert inputs["colors"].grad[:, :, :4].any()


def test_without_gradients_the_picture_is_the_same():
    viewmats, Ks = cameras(1, 40, 30)
    inputs = scene(7, 50, 1, 1, frozenset())
    with torch.no_grad():
        quiet = rasterize(**inputs, viewmats=viewmats, Ks=Ks, width=40, height=30, sh_degree=1)[0]
    inputs["means"].requires_grad_()
    assert torch.equal(quiet, rasterize(**inputs, viewmats=viewmats, Ks=Ks, width=40, height=30, sh_degree=1)[0])


def test_depths_carry_gradients():
    viewmats, Ks = cameras(1, 20, 20)
    inputs = scene(8, 20, None, 1, frozenset())
    inputs["means"].requires_grad_()
    _, _, info = rasterize(**inputs, viewmats=viewmats, Ks=Ks, width=20, height=20)
    torch.testing.assert_close(info["depths"], inputs["means"][..., 2] + 3)
    info["depths"].sum().backward()
    torch.testing.assert_close(inputs["means"].grad, torch.tensor([0.0, 0, 1]).expand(1, 20, 3))


def test_float64_goes_to_the_reference():
    viewmats, Ks = cameras(1, 20, 20)
    inputs = {k: v.double() for k, v in scene(9, 20, None, 1, frozenset()).items()}
    image, _, _ = rasterize(**inputs, viewmats=viewmats.double(), Ks=Ks.double(), width=20, height=20)
    assert image.dtype == torch.float64


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quats": torch.ones(4, 4)}, "quats"),
        ({"means": torch.ones(2, 5, 3)}, "means"),
        ({"colors": torch.ones(5, 4)}, "channels"),
        ({"sh_degree": 3, "colors": torch.ones(5, 4, 3)}, "sh_degree"),
        ({"width": 0}, "size"),
        ({"near_plane": 0.0}, "near_plane"),
        ({"backgrounds": torch.ones(1, 8, 9, 3)}, "Backgrounds"),
        ({"backend": "opengl"}, "opengl"),
        ({"backend": "gsplat"}, "NVIDIA"),
    ],
)
def test_what_cannot_be_rendered_is_said_in_one_sentence(changes, words):
    viewmats, Ks = cameras(1, 10, 10)
    good = {"means": torch.ones(5, 3), "quats": torch.ones(5, 4), "scales": torch.ones(5, 3)}
    good |= {"opacities": torch.ones(5), "colors": torch.ones(5, 3), "width": 10, "height": 10}
    with pytest.raises(GaussianTalkerError, match=words) as caught:
        rasterize(**good | changes, viewmats=viewmats, Ks=Ks)
    assert "\n" not in str(caught.value)
