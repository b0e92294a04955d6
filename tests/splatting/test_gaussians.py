import numpy as np
import torch

from gaussiantalker.splatting import Gaussians, rasterize


def grid(spacing: float) -> np.ndarray:
    return spacing * np.stack(np.meshgrid(*[np.arange(4.0)] * 3), -1).reshape(-1, 3)


def test_size_is_the_distance_to_the_neighbours():
    """On a lattice the three nearest neighbours are one spacing away."""
    gaussians = Gaussians.from_points(grid(0.2), opacity=0.3)
    torch.testing.assert_close(gaussians.scales, torch.full((64, 3), 0.2))
    torch.testing.assert_close(gaussians.opacities, torch.full((64,), 0.3))
    assert gaussians.sh_degree == 3
    assert len(gaussians) == 64


def test_few_and_coinciding_points():
    assert torch.isfinite(Gaussians.from_points(np.zeros((1, 3))).log_scales).all()
    torch.testing.assert_close(Gaussians.from_points(np.eye(3)[:2]).scales, torch.full((2, 3), 2**0.5))
    same = Gaussians.from_points(np.zeros((9, 3)))
    torch.testing.assert_close(same.scales, torch.full((9, 3), 1e-7**0.5))


def test_colours_are_seen_from_everywhere():
    """A colour given as RGB is what the rasterizer shows of an opaque Gaussian, whatever the view."""
    gaussians = Gaussians.from_points(np.zeros((1, 3)), np.array([[0.2, 0.5, 0.9]]), opacity=0.9999, sh_degree=2)
    gaussians.log_scales[:] = 1.0
    viewmats, K = torch.eye(4).repeat(2, 1, 1), torch.tensor([[50.0, 0, 8], [0, 50, 8], [0, 0, 1]])
    viewmats[:, 2, 3] = 9.0
    viewmats[1, :3, :3] = torch.tensor([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
    g = gaussians
    shape = (g.means, g.quats, g.scales, g.opacities, g.sh)
    image, alpha, _ = rasterize(*shape, viewmats, K, 16, 16, sh_degree=2)
    torch.testing.assert_close(image[:, 8, 8] / alpha[:, 8, 8], torch.tensor([[0.2, 0.5, 0.9]]).expand(2, 3))


def test_dicts_of_tensors():
    gaussians = Gaussians.from_points(grid(1.0))
    again = Gaussians.from_dict(gaussians.to_dict() | {"something else": torch.zeros(1)})
    for name, tensor in gaussians.to_dict().items():
        assert getattr(again, name) is tensor
