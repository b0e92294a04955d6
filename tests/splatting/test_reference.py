import math

import numpy as np
import pytest
import torch
from gaussian_scenes import FAR, NEAR, cameras, scene
from scipy.spatial.transform import Rotation

from gaussiantalker import geometry
from gaussiantalker.splatting import rasterize, reference


def test_gradients_by_finite_differences():
    """The oracle's own gradients, to every input, in float64."""
    viewmats, Ks = cameras(2, 4, 3)
    inputs = {k: v.double() for k, v in scene(0, 3, 2, 1, frozenset()).items()}
    inputs |= {"viewmats": viewmats.double(), "backgrounds": torch.rand(2, 3, 4, 3).double()}
    names = list(inputs)

    def render(*values):
        options = {"sh_degree": 2, "near_plane": NEAR, "far_plane": FAR, "backend": "reference"}
        return rasterize(**dict(zip(names, values, strict=True)), Ks=Ks.double(), width=4, height=3, **options)[:2]

    assert torch.autograd.gradcheck(render, [inputs[name].requires_grad_() for name in names])


def test_one_round_gaussian_is_the_textbook_s():
    """In front of the camera, a ball of radius s shows as a normal density of radius f s / z, plus the blur."""
    size, focal, z, s, opacity = 33, 40.0, 4.0, 0.3, 0.8
    K = torch.tensor([[[focal, 0, 16.5], [0, focal, 16.5], [0, 0, 1]]])
    view = torch.eye(4)[None]
    ball = {"means": [[0, 0, z]], "quats": [[1.0, 0, 0, 0]], "scales": [[s, s, s]], "opacities": [opacity]}
    ball = {k: torch.tensor(v) for k, v in ball.items()}
    image, alpha, info = rasterize(**ball, colors=torch.ones(1, 3), viewmats=view, Ks=K, width=size, height=size)
    distance = (torch.arange(size) + 0.5 - 16.5) ** 2
    variance = (focal * s / z) ** 2 + 0.3
    expected = opacity * torch.exp(-(distance[:, None] + distance) / (2 * variance))
    expected = torch.where(expected < 1 / 255, 0, expected)
    torch.testing.assert_close(alpha[0, ..., 0], expected, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(image[0, ..., 0], expected, atol=2e-6, rtol=1e-5)
    reach = math.sqrt(2 * math.log(255 * opacity) * variance)
    assert info["radii"].tolist() == [[[math.ceil(reach)] * 2]]


def test_rotations_are_scipy_s():
    quats = np.random.default_rng(0).normal(size=(20, 4))
    expected = Rotation.from_quat(quats[:, [1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(reference.rotation_matrices(torch.from_numpy(quats)), expected, atol=1e-12)


def test_covariance_is_carried_by_the_projection_s_jacobian():
    """Against the Jacobian of `geometry.project` by finite differences."""
    viewmats, Ks = (t.double() for t in cameras(3, 64, 48, (3.0, -2.0)))
    g = {k: v[0].double() for k, v in scene(1, 10, None, 1, frozenset()).items()}
    g["means"] /= 2  # well inside the picture, where the linearisation is exact
    seen = torch.ones(3, 10, dtype=torch.bool)
    shape = g["means"][None], g["quats"][None], g["scales"][None]
    centres, covariances, determinants = reference._project(*shape, viewmats, Ks, 64, 48, 0.3, seen)
    step = 1e-6 * np.eye(3)
    axes = reference.rotation_matrices(g["quats"]) * g["scales"][:, None]
    world = (axes @ axes.transpose(1, 2)).numpy()
    for b in range(3):
        view, K = viewmats[b].numpy(), Ks[b].numpy()
        for n in range(10):
            point = g["means"][n].numpy()
            np.testing.assert_allclose(centres[b, n], geometry.project(point[None], view, K)[0], atol=1e-9)
            ends = geometry.project(np.concatenate([point + step, point - step]), view, K)
            jacobian = (ends[:3] - ends[3:]).T / 2e-6
            expected = jacobian @ world[n] @ jacobian.T + 0.3 * np.eye(2)
            xx, xy, yy = covariances[b, n]
            np.testing.assert_allclose([[xx, xy], [xy, yy]], expected, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(determinants[b, n], np.linalg.det(expected), rtol=1e-5)


def test_harmonics_are_orthonormal():
    """Integrals over the sphere by Gauss-Legendre quadrature, exact for these polynomials."""
    heights, weights = np.polynomial.legendre.leggauss(8)
    angles = np.arange(16) * 2 * np.pi / 16
    radius = np.sqrt(1 - heights**2)[:, None]
    x, y = radius * np.cos(angles), radius * np.sin(angles)
    directions = np.stack([x, y, np.broadcast_to(heights[:, None], x.shape)], -1).reshape(-1, 3)
    basis = reference.spherical_harmonics(torch.from_numpy(directions), 3).numpy()
    measure = np.repeat(weights, 16) * 2 * np.pi / 16
    np.testing.assert_allclose(basis.T @ (basis * measure[:, None]), np.eye(16), atol=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_lower_degrees_are_a_part(degree):
    directions = torch.nn.functional.normalize(torch.randn(9, 3), dim=-1)
    whole = reference.spherical_harmonics(directions, 3)
    assert torch.equal(reference.spherical_harmonics(directions, degree), whole[:, : (degree + 1) ** 2])
