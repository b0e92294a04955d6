"""Gaussian blendshapes: all that a talker's network does to its Gaussians, as a few numbers a frame times bases.

A trained network moves every Gaussian by a function of the frame's tokens. Over all frames these motions lie in a
space of a few dozen dimensions, so a frame is a rest head plus a weighted sum of bases, and the weights follow from
the tokens by a small network. (Bases of Gaussians also move the heads of RGBAvatar, arXiv 2503.12886.) What moved
harmonics do to a colour is taken at the frame's own camera, where it is three numbers and not up to 48.

The file is described in docs/blendshapes.md.
"""

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaussiantalker.splatting.gaussians import SH_DC, Gaussians
from gaussiantalker.splatting.reference import spherical_harmonics
from gaussiantalker.talker.drive import Drive
from gaussiantalker.talker.talker import Splats, Talker

NUMBERS = {"means": 3, "scales": 3, "quats": 4, "opacity": 1, "colour": 3}
"""Columns of a basis, in this order; what a method does not move is left out."""
LEVELS = 127  # of a byte on either side of zero
_HIDDEN = 128
_BEYOND = 0.1  # of the span that a coefficient had in baking, by which it may leave it


class Coefficients(nn.Module):
    """From a frame's tokens [B, tokens, width] to its coefficients [B, K], none far beyond those met in baking."""

    low: Tensor  # [K]
    high: Tensor  # [K]

    def __init__(self, inputs: int, count: int):
        super().__init__()
        self.inputs = inputs
        self.network = nn.Sequential(
            nn.Linear(inputs, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, count),
        )
        self.register_buffer("low", torch.full((count,), -torch.inf))
        self.register_buffer("high", torch.full((count,), torch.inf))

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.clamp(self.network(tokens.flatten(1)), self.low, self.high)

    @torch.no_grad()
    def bound(self, seen: Tensor) -> None:
        """Holds coefficients to the span of these [F, K], and a little more."""
        low, high = seen.amin(dim=0), seen.amax(dim=0)
        margin = _BEYOND * (high - low)
        self.low.copy_(low - margin)
        self.high.copy_(high + margin)


class Blendshapes(nn.Module):
    """Gaussians at rest and the bases of those that move, which are the first ones.

    `bases` int8 [K, M, D] are in units of `reach` [M, D] / 127; the D columns are the numbers of `moved`, a choice of
    `NUMBERS` in its order, and are added before activation: to means, log scales, quaternions, opacity logits, and to
    the colour that the harmonics give.
    """

    sh_degree = 0  # of the splats it makes, whose colours are those for the frame's own camera
    means: Tensor
    quats: Tensor
    log_scales: Tensor
    opacity_logits: Tensor
    sh: Tensor
    bases: Tensor
    reach: Tensor

    def __init__(
        self, rest: Gaussians, moved: tuple[str, ...], bases: Tensor, reach: Tensor, coefficients: Coefficients
    ):
        super().__init__()
        self.moved = moved
        for name, tensor in (rest.to_dict() | {"bases": bases, "reach": reach}).items():
            self.register_buffer(name, tensor)
        self.coefficients = coefficients
        self._packed: Any = None  # what the kernel has made of the above, once
        self._weights: Tensor | None = None  # [K, M * D] the bases as its twin multiplies them, once

    @property
    def sizes(self) -> list[int]:
        """Columns of each attribute that moves."""
        return [NUMBERS[name] for name in self.moved]

    @property
    def device(self) -> torch.device:
        return self.means.device

    def _apply(self, *how) -> Self:
        self._packed = self._weights = None
        return super()._apply(*how)

    def forward(self, tokens: Tensor, viewmats: Tensor) -> Splats:
        """The head in B frames: tokens [B, tokens, width] and head to camera [B, 4, 4].

        On a CPU a few Gaussians more may come back, which are transparent.
        """
        coefficients = self.coefficients(tokens)
        if self.device.type == "cpu" and not torch.is_grad_enabled():
            from gaussiantalker.talker.blendshape_kernel import blend, packed

            self._packed = self._packed or packed(self)
            return blend(coefficients, viewmats, self._packed)
        return self.twin(coefficients, viewmats)

    def twin(self, coefficients: Tensor, viewmats: Tensor) -> Splats:
        """Coefficients [B, K] times bases, activated: plain torch, one product for all frames and Gaussians."""
        if self._weights is None:
            self._weights = (self.bases * (self.reach / LEVELS)).flatten(1)
        whole, units = quantised(coefficients)
        moves = ((whole * units[:, None]) @ self._weights).unflatten(1, self.reach.shape).split(self.sizes, dim=-1)
        at_rest = len(self.means) - len(self.reach)
        offsets = {name: F.pad(move, (0, 0, 0, at_rest)) for name, move in zip(self.moved, moves, strict=True)}
        still = self.means.new_zeros(len(coefficients), len(self.means), 1)
        means = self.means + offsets.get("means", still)
        eyes = -(viewmats[:, :3, :3].transpose(1, 2) @ viewmats[:, :3, 3:])[..., 0]
        basis = spherical_harmonics(F.normalize(means - eyes[:, None], dim=-1), round(self.sh.shape[1] ** 0.5) - 1)
        colours = torch.einsum("bnk,nkc->bnc", basis, self.sh) + offsets.get("colour", still)
        return Splats(
            means,
            self.quats + offsets.get("quats", still),
            (self.log_scales + offsets.get("scales", still)).exp(),
            (self.opacity_logits + offsets.get("opacity", still)[..., 0]).sigmoid(),
            colours.clamp_min(-0.5)[:, :, None] / SH_DC,
        )

    @property
    def rest(self) -> Gaussians:
        """The head that nothing moves."""
        return Gaussians.from_dict(self.state_dict())

    def posed(self, tokens: Tensor) -> Gaussians:
        """The head in one frame [1, tokens, width], as Gaussians before activation."""
        rest, moves = self.rest, self.coefficients(tokens) @ (self.bases * (self.reach / LEVELS)).flatten(1)
        at_rest = len(self.means) - len(self.reach)
        offsets = F.pad(moves.unflatten(1, self.reach.shape)[0], (0, 0, 0, at_rest)).split(self.sizes, dim=1)
        kept = {"scales": "log_scales", "opacity": "opacity_logits"}
        for name, offset in zip(self.moved, offsets, strict=True):
            if name == "colour":
                rest.sh = torch.cat([rest.sh[:, :1] + offset[:, None] / SH_DC, rest.sh[:, 1:]], dim=1)
            else:
                raw = getattr(rest, kept.get(name, name))
                setattr(rest, kept.get(name, name), raw + offset.reshape(raw.shape))
        return rest

    def tensors(self) -> dict[str, Tensor]:
        """What its file holds: places, and what is small, in single precision, other attributes in half of it."""
        halves = ("quats", "log_scales", "opacity_logits", "sh", "reach")
        return {name: tensor.half() if name in halves else tensor for name, tensor in self.state_dict().items()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], moved: tuple[str, ...]) -> Self:
        """The opposite. Raises KeyError or RuntimeError when these are no blendshapes."""
        values = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
        first = values["coefficients.network.0.weight"]
        out = cls(
            Gaussians.from_dict(values),
            moved,
            values["bases"],
            values["reach"],
            Coefficients(first.shape[1], len(values["bases"])),
        )
        out.load_state_dict(values)
        return out.eval().requires_grad_(False)


def quantised(coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients [B, K] as whole numbers of 16 bits, still floats, and what 1 is worth in each frame [B]."""
    units = coefficients.abs().amax(dim=1).clamp_min(1e-12) / 32767
    return (coefficients / units[:, None]).round(), units


class BakedTalker:
    """A talker whose Gaussians move by blendshapes: of its network only what makes the tokens is run."""

    sh_degree = Blendshapes.sh_degree

    def __init__(self, talker: Talker, blendshapes: Blendshapes):
        self.talker, self.blendshapes = talker, blendshapes

    @property
    def device(self) -> torch.device:
        return self.talker.device

    def deform(self, drive: Drive) -> Splats:
        """See `Talker.deform`."""
        return self.blendshapes(self.talker.conditions(drive), drive.viewmats)
