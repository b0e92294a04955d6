"""The model: a canonical head of Gaussians, and what sound, eyes and camera do to it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gaussiantalker.splatting import rasterize
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.splatting.scene import Room
from gaussiantalker.talker.conditions import Conditions
from gaussiantalker.talker.drive import Drive
from gaussiantalker.talker.fusion import FusionLayer
from gaussiantalker.talker.method import Method
from gaussiantalker.talker.parts import ENCODINGS, FUSIONS, REGRESSORS, part

_SHAPE = ("means", "scales", "quats")
_HOLD_REACH = 0.04  # head units: a quarter of the way from the teeth to the lips
RAW_NAMES = {"scales": "log_scales", "opacity": "opacity_logits"}  # attributes that are kept before activation


class Splats(NamedTuple):
    """Activated attributes, in the order the rasterizer takes them: shared [N, ...] or per frame [B, N, ...]."""

    means: Tensor  # [..., N, 3]
    quats: Tensor  # [..., N, 4]
    scales: Tensor  # [..., N, 3]
    opacities: Tensor  # [..., N]
    sh: Tensor  # [..., N, K, 3]


class Talker(nn.Module):
    """GaussianTalker's two-stage model (Cho et al. 2024, section 4), its parts chosen by a `Method`.

    `raw` holds the Gaussians before activation. In the canonical stage the method's `predicted` attributes are what
    `raw` held at the start plus what the triplane says (eq. 8); `bake` then writes the sum into `raw`, which the
    deformation stage goes on training (as the public code does).
    """

    def __init__(self, method: Method, gaussians: Gaussians, speech_channels: int):
        super().__init__()
        self.method = method
        self.sh_degree = gaussians.sh_degree
        self.raw = nn.ParameterDict({name: nn.Parameter(value) for name, value in gaussians.to_dict().items()})
        low, high = gaussians.means.amin(dim=0), gaussians.means.amax(dim=0)
        margin = 0.05 * (high - low)
        self.triplane = part(ENCODINGS, "encoding", method.encoding)(method, low - margin, high + margin)
        width = self.triplane.width
        predictors, regressors = part(REGRESSORS, "regressor", method.regressor)
        self.canonical_heads = predictors(
            width, method.regressor_width, _attribute_sizes(method.predicted, self.sh_degree)
        )
        self.conditions = Conditions(method, width, speech_channels)
        # Triplane features are products of three small numbers; unscaled, the tokens would drown where a Gaussian is.
        self.place = nn.LayerNorm(width)
        self.fusion = nn.ModuleList(part(FUSIONS, "fusion", method.fusion)(method, width) for _ in range(method.layers))
        self.offsets = regressors(width, method.regressor_width, _attribute_sizes(method.deformed, self.sh_degree))
        self.register_buffer("free", torch.ones(0))  # [N] 1 where sound may move a Gaussian; empty: it may everywhere
        self.register_buffer("_kept_places", None, persistent=False)

    def train(self, mode: bool = True) -> "Talker":
        """Also forgets what was computed once for all frames, so say `eval()` anew when weights have changed."""
        self._kept_places = None
        return super().train(mode)

    @property
    def device(self) -> torch.device:
        return self.raw["means"].device

    def canonical(self) -> Splats:
        """The static head (stage 1)."""
        return self._activate(self.canonical_heads(self.triplane(self.raw["means"])))

    @torch.no_grad()
    def bake(self) -> None:
        """Ends the canonical stage: what was read off the triplane becomes each Gaussian's own."""
        for name, value in self._add(self.canonical_heads(self.triplane(self.raw["means"]))).items():
            self.raw[name].copy_(value)

    @torch.no_grad()
    def hold(self, points: Tensor) -> None:
        """Keeps Gaussians that lie on these points [P, 3] where they are, whatever is heard: once, after `bake`."""
        nearest = torch.cdist(self.raw["means"], points.to(self.device)).amin(dim=1)
        self.free = (nearest > _HOLD_REACH).float()

    def deform(self, drive: Drive) -> Splats:
        """The head in B frames (stage 2, eq. 9-14)."""
        return self._activate(self.moves(self.conditions(drive)))

    def moves(self, tokens: Tensor) -> dict[str, Tensor]:
        """What tokens [B, tokens, width] add to each attribute before its activation, {name: [B, N, size]}."""
        z = self._places()
        for layer in self.fusion:
            z = layer(z, tokens)
        offsets = self.offsets(z)
        if len(self.free):
            offsets |= {name: offsets[name] * self.free[:, None] for name in _SHAPE if name in offsets}
        return offsets

    def attention(self, drive: Drive) -> Tensor | None:
        """How much each Gaussian listens to each condition, [B, tokens, N], tokens in the order of the method's
        `conditions`; the mean over heads and layers. None where the method's fusion weighs nothing."""
        z, tokens = self._places(), self.conditions(drive)
        weights = []
        for layer in self.fusion:
            assert isinstance(layer, FusionLayer)
            weights.append(layer.weights(z, tokens))
            z = layer(z, tokens)
        return None if weights[0] is None else torch.stack(weights).mean(dim=0)

    def _places(self) -> Tensor:
        """What the network knows of where each Gaussian is, [1, N, width]: the same in every frame, and so computed
        but once while the talker is in evaluation and nothing is learnt."""
        if self.training or torch.is_grad_enabled():
            return self.place(self.triplane(self.raw["means"]))[None]
        if self._kept_places is None:
            self._kept_places = self.place(self.triplane(self.raw["means"]))[None]
        return self._kept_places

    def _add(self, offsets: dict[str, Tensor]) -> dict[str, Tensor]:
        """Raw attributes plus offsets, under the raw names."""
        raw = dict(self.raw.items())
        for name, offset in offsets.items():
            key = RAW_NAMES.get(name, name)
            raw[key] = raw[key] + offset.reshape(*offset.shape[:-1], *raw[key].shape[1:])
        return raw

    def _activate(self, offsets: dict[str, Tensor]) -> Splats:
        raw = self._add(offsets)
        return Splats(raw["means"], raw["quats"], raw["log_scales"].exp(), raw["opacity_logits"].sigmoid(), raw["sh"])


def render(
    splats: Splats, viewmats: Tensor, K: Tensor, backgrounds: Tensor, sh_degree: int, room: Room | None = None
) -> tuple:
    """Splats over background pictures [B, H, W, 3] under poses [B, 4, 4] and intrinsics [3, 3].

    Returns the pictures [B, H, W, 3], alpha [B, H, W, 1] and the rasterizer's info (means2d for densification).
    """
    height, width = backgrounds.shape[1:3]
    Ks = K.expand(len(viewmats), 3, 3)
    return rasterize(*splats, viewmats, Ks, width, height, sh_degree=sh_degree, backgrounds=backgrounds, room=room)


def _attribute_sizes(names: tuple[str, ...], sh_degree: int) -> dict[str, int]:
    """Numbers per Gaussian of each of these attributes."""
    sizes = {"means": 3, "scales": 3, "quats": 4, "opacity": 1, "sh": 3 * (sh_degree + 1) ** 2}
    return {name: sizes[name] for name in names}
