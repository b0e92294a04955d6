"""The multi-resolution hash triplane (GSTalker, EGSTalker; after Instant-NGP and ER-NeRF)."""

import torch
from torch import Tensor, nn

from gaussiantalker.talker.triplane import AXES, Encoding

PRIME = 2_654_435_761  # Instant-NGP's, eq. 4; the first coordinate's factor is 1
_START = 0.1  # tables start within this of zero: less, and the layer norm behind them would blow up rounding


class HashTriplane(Encoding):
    """A pyramid of grids on each of the xy, xz and yz planes, samples side by side.

    Grids that fit into a table have an entry per node; finer ones share entries by a hash, and what matters most
    wins. Sizes grow evenly from `coarsest` to `finest` nodes a side.
    """

    def __init__(
        self, levels: int, channels: int, coarsest: int, finest: int, table_bits: int, low: Tensor, high: Tensor
    ):
        super().__init__(3 * levels * channels, low, high)
        growth = (finest / coarsest) ** (1 / max(levels - 1, 1))
        self.sizes = tuple(round(coarsest * growth**level) for level in range(levels))
        self.tables = nn.Parameter(torch.empty(3, levels, 1 << table_bits, channels).uniform_(-_START, _START))

    def forward(self, points: Tensor) -> Tensor:
        """Points [N, 3] to features [N, 3 * levels * channels]."""
        unit = self.unit(points).clamp(0, 1)
        if points.device.type == "cpu" and points.dtype == torch.float32:
            from gaussiantalker.talker.hash_kernel import sample_tables

            return sample_tables(unit, self.tables, self.sizes)
        return _sample_tables_reference(unit, self.tables, self.sizes)


def _sample_tables_reference(unit: Tensor, tables: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """In plain torch: points [N, 3] in [0, 1] and tables [3, L, T, C] to [N, 3 * L * C]."""
    features = []
    for plane, (first, second) in enumerate(AXES):
        for level, size in enumerate(sizes):
            u, v = unit[:, first] * (size - 1), unit[:, second] * (size - 1)
            i, j = u.detach().long().clamp_max(size - 2), v.detach().long().clamp_max(size - 2)
            a, b = (u - i)[:, None], (v - j)[:, None]
            table = tables[plane, level]
            corners = [table[_entry(i + di, j + dj, size, len(table))] for dj in (0, 1) for di in (0, 1)]
            upper, lower = corners[0] * (1 - a) + corners[1] * a, corners[2] * (1 - a) + corners[3] * a
            features.append(upper * (1 - b) + lower * b)
    return torch.cat(features, dim=-1)


def _entry(i: Tensor, j: Tensor, size: int, entries: int) -> Tensor:
    """The table's entry of node (i, j): its own where all nodes fit, a hash's otherwise (`entries` a power of 2)."""
    if size * size <= entries:
        return j * size + i
    return (i ^ (j * PRIME)) & (entries - 1)
