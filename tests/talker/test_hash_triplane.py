"""The hash triplane: kernel against plain torch, gradients against finite differences, grids against what they hold."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.talker.hash_kernel import sample_tables
from gaussiantalker.talker.hash_triplane import HashTriplane, _entry, _sample_tables_reference


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 400), levels=st.integers(1, 4), bits=st.sampled_from([4, 8]), seed=st.integers(0, 99))
def test_the_kernel_equals_the_reference(count: int, levels: int, bits: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(count, 3, generator=generator).requires_grad_()
    tables = torch.rand(3, levels, 1 << bits, 2, generator=generator).requires_grad_()
    sizes = tuple(3 * 2**level for level in range(levels))
    arriving = torch.randn(count, 3 * levels * 2, generator=generator)
    results = []
    for sample in (sample_tables, _sample_tables_reference):
        feature = sample(unit, tables, sizes)
        results.append((feature, *torch.autograd.grad(feature, (unit, tables), arriving)))
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-3, atol=1e-3)


def test_gradients_by_finite_differences() -> None:
    torch.manual_seed(0)
    unit = torch.rand(5, 3, dtype=torch.float64).requires_grad_()
    tables = torch.rand(3, 2, 16, 1, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda u, t: _sample_tables_reference(u, t, (3, 7)), (unit, tables))


def test_a_grid_that_fits_gives_back_what_it_holds() -> None:
    """Entries that hold their node's first coordinate interpolate to it, everywhere."""
    planes = HashTriplane(2, 1, 4, 8, 6, torch.tensor([-1.0, -2.0, -3.0]), torch.tensor([1.0, 2.0, 3.0]))
    assert planes.sizes == (4, 8)
    with torch.no_grad():
        for level, size in enumerate(planes.sizes):
            planes.tables[:, level, : size * size, 0] = torch.linspace(-1, 1, size).repeat(size)
    points = torch.tensor([[0.5, 1.0, -1.5], [-1.0, -2.0, 9.0]])
    x, y = points[:, :1], points[:, 1:2] / 2
    torch.testing.assert_close(planes(points), torch.cat([x, x, x, x, y, y], dim=1))


def test_nodes_spread_over_the_table() -> None:
    """A grid sixteen times the table's size: every entry is shared by about sixteen nodes, none by very many."""
    i, j = torch.meshgrid(torch.arange(512), torch.arange(512), indexing="ij")
    used = torch.bincount(_entry(i, j, 512, 1 << 14).flatten(), minlength=1 << 14)
    assert used.min() > 0 and used.max() <= 64
