"""Gaussians that move by bases: the kernel against its twin, and what a file keeps."""

import numpy as np
import pytest
import torch

from gaussiantalker.splatting.gaussians import SH_DC, Gaussians
from gaussiantalker.talker.blendshapes import NUMBERS, Blendshapes, Coefficients

COUNT, MOVING, BASES, TOKENS, WIDTH = 83, 41, 6, 4, 8
MOVED = [tuple(NUMBERS), ("means", "scales", "quats"), ("opacity", "colour")]


def some_blendshapes(moved: tuple[str, ...] = MOVED[0], degree: int = 2) -> Blendshapes:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    rest = Gaussians.from_points(rng.normal(size=(COUNT, 3)), rng.random((COUNT, 3)), sh_degree=degree)
    rest.sh += 0.2 * torch.randn_like(rest.sh)
    columns = sum(NUMBERS[name] for name in moved)
    bases = torch.randint(-127, 128, (BASES, MOVING, columns), dtype=torch.int8)
    shapes = Blendshapes(rest, moved, bases, 0.3 * torch.rand(MOVING, columns), Coefficients(TOKENS * WIDTH, BASES))
    return shapes.eval().requires_grad_(False)


def frames(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    viewmats = torch.eye(4).repeat(count, 1, 1)
    viewmats[:, 2, 3], viewmats[:, 0, 3] = 8, torch.arange(count)
    return torch.randn(count, TOKENS, WIDTH), viewmats


@pytest.mark.parametrize("moved", MOVED, ids=" ".join)
@pytest.mark.parametrize("count", [1, 3, 5])
def test_the_kernel_is_its_twin(moved: tuple[str, ...], count: int) -> None:
    shapes = some_blendshapes(moved)
    tokens, viewmats = frames(count)
    with torch.inference_mode():
        splats, expected = shapes(tokens, viewmats), shapes.twin(shapes.coefficients(tokens), viewmats)
    for name, one, other in zip(splats._fields, splats, expected, strict=True):
        torch.testing.assert_close(one[:, :COUNT], other, rtol=2e-6, atol=2e-6, msg=name)
    assert splats.opacities[:, COUNT:].max() < 1e-9, "what fills up the last sixteen is not seen"
    moves = (expected.means - shapes.means).abs().max() > 0.01
    assert moves == ("means" in moved), "the test must have something to move"


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_colours_are_those_of_the_harmonics_towards_the_camera(degree: int) -> None:
    from gaussiantalker.splatting.reference import shade

    shapes = some_blendshapes(("means",), degree)
    tokens, viewmats = frames(2)
    with torch.inference_mode():
        splats = shapes(tokens, viewmats)
    expected = shade(splats.means[:, :COUNT], viewmats, shapes.sh, degree)
    torch.testing.assert_close(splats.sh[:, :COUNT, 0] * SH_DC + 0.5, expected, rtol=1e-5, atol=1e-5)


def test_the_same_bits_for_any_number_of_threads() -> None:
    tokens, viewmats = frames(4)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        with torch.inference_mode():
            found.append(some_blendshapes()(tokens, viewmats))
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def test_a_frame_does_not_depend_on_those_beside_it() -> None:
    shapes = some_blendshapes()
    tokens, viewmats = frames(5)
    with torch.inference_mode():
        together = shapes(tokens, viewmats)
        for frame in range(5):
            alone = shapes(tokens[frame : frame + 1], viewmats[frame : frame + 1])
            for one, all_of_them in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], all_of_them[frame], rtol=1e-6, atol=1e-6)


def test_gaussians_without_bases_stay() -> None:
    shapes = some_blendshapes()
    with torch.inference_mode():
        splats = shapes(*frames(2))
    torch.testing.assert_close(splats.means[:, MOVING:COUNT], shapes.means[MOVING:].expand(2, -1, -1))
    assert ((splats.means[:, :MOVING] - shapes.means[:MOVING]).abs().amax(dim=(0, 2)) > 0).all()


def test_its_file_holds_what_moves() -> None:
    shapes = some_blendshapes()
    tokens, viewmats = frames(2)
    read = Blendshapes.from_tensors(shapes.tensors(), shapes.moved)
    with torch.inference_mode():
        for one, other in zip(shapes(tokens, viewmats), read(tokens, viewmats), strict=True):
            torch.testing.assert_close(one, other, rtol=5e-3, atol=2e-3)
    torch.testing.assert_close(read.means, shapes.means, rtol=0, atol=0)


def test_coefficients_do_not_leave_what_was_seen_in_baking() -> None:
    shapes = some_blendshapes()
    tokens, _ = frames(50)
    shapes.coefficients.bound(shapes.coefficients(tokens))
    far = shapes.coefficients(100 * tokens)
    assert (far <= shapes.coefficients.high).all() and (far >= shapes.coefficients.low).all()
    assert torch.equal(far.amax(dim=0), shapes.coefficients.high), "the test must have gone far"
