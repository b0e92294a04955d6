"""The triplane kernel against torch's own grid_sample."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.talker.triplane import Triplane, _sample_planes_reference
from gaussiantalker.talker.triplane_kernel import sample_planes


@settings(max_examples=15, deadline=None)
@given(
    count=st.integers(1, 300),
    size=st.integers(2, 40),
    channels=st.sampled_from([16, 32]),
    reach=st.sampled_from([0.9, 1.5]),
    seed=st.integers(0, 1000),
)
def test_kernel_equals_grid_sample(count: int, size: int, channels: int, reach: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    unit = ((torch.rand(count, 3, generator=generator) * 2 - 1) * reach).requires_grad_()
    planes = torch.rand(3, size, size, channels, generator=generator).requires_grad_()
    arriving = torch.randn(count, channels, generator=generator)
    results = []
    for sample in (sample_planes, _sample_planes_reference):
        feature = sample(unit, planes)
        results.append((feature, *torch.autograd.grad(feature, (unit, planes), arriving)))
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-3, atol=1e-3 * float(torchs.detach().abs().max() + 1e-6))


def test_a_product_of_planes_that_look_at_coordinates() -> None:
    """Planes that hold x, y and z themselves must give back (x+2)(x+2)(y+2) and so on: levels side by side."""
    planes = Triplane((8, 16), 16, torch.tensor([-1.0, -2.0, -3.0]), torch.tensor([1.0, 2.0, 3.0]))
    for level in planes.planes:
        size = level.shape[1]
        ramp = torch.linspace(-1, 1, size) + 2
        with torch.no_grad():
            level[:] = ramp[None, None, :, None]  # every plane holds its first coordinate: x, x, y
    points = torch.tensor([[0.5, 1.0, -1.5], [-1.0, -2.0, 3.0]])
    x, y = points[:, 0] + 2, points[:, 1] / 2 + 2
    torch.testing.assert_close(planes(points), (x * x * y)[:, None].expand(-1, 32))
