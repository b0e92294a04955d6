"""Room for tile lists on a GPU."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Room:
    """How many (tile, Gaussian) pairs pictures may have, where the host does not wait to hear how many they have."""

    capacity: int
    wanted: Tensor | None = None
    """int64 [] on the device, set by `rasterize`: how many they had. What exceeds the capacity is not drawn."""
