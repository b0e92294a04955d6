"""An avatar as one compact file, which a page reads and shows without anything else (docs/web.md)."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as serialize
from torch import Tensor, nn

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export.matte import strangers
from gaussiantalker.geometry import yaw_pitch_roll
from gaussiantalker.provenance.watermark import pattern, payload_of
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.director import steering_limit
from gaussiantalker.speaking.motion import EASE, EASE_LIDS, NECK, UNSEEN
from gaussiantalker.splatting.gaussians import SH_DC, Gaussians
from gaussiantalker.talker import Blendshapes, MouthListener, Talker, TorsoField
from gaussiantalker.talker.blendshapes import LEVELS
from gaussiantalker.talker.torso import SOFT_LIMIT, pose_numbers
from gaussiantalker.timing import FPS, SAMPLE_RATE

FORMAT = 1
CONDITIONS = ("mouth", "eye", "camera", "null")
"""What a page can tell an avatar."""
_HALVES = ("quats", "log_scales", "opacity_logits", "sh", "reach")


def compact(avatar: Avatar) -> bytes:
    """The file: a safetensors file whose metadata hold, under `avatar`, the facts as JSON.

    Raises GaussianTalkerError where the avatar is of a kind that pages cannot show.
    """
    check(avatar)
    named = dict(tensors(avatar))
    return serialize(
        {name: tensor.contiguous() for name, tensor in named.items()}, {"avatar": json.dumps(facts(avatar))}
    )


def check(avatar: Avatar) -> None:
    """Raises GaussianTalkerError where the avatar is of a kind that pages cannot show."""
    method = avatar.talker.method
    plain = method.token_net == "mlp" and not method.period
    if not isinstance(avatar.listener, MouthListener) or not plain or set(method.conditions) - set(CONDITIONS):
        raise GaussianTalkerError(
            f"A page cannot hear for an avatar of {method.title}: train one with --method mouth-code, or let serve "
            "send its pictures."
        )
    if avatar.torso is None:
        raise GaussianTalkerError(
            "This avatar's neck and shoulders are recorded pictures, which a page cannot turn: train an avatar with a "
            "torso field, as every method has unless told otherwise."
        )


def facts(avatar: Avatar) -> dict[str, Any]:
    """What the file says in words and single numbers."""
    motion, listener = avatar.motion, avatar.listener
    angles = yaw_pitch_roll(motion.rotations)
    return {
        "format": FORMAT,
        **avatar.provenance,
        "synthetic": "Everything this avatar shows and says is generated.",
        "fps": FPS,
        "camera": {name: getattr(avatar.camera, name) for name in ("focal", "cx", "cy", "width", "height")},
        "head": {"moved": avatar.blendshapes.moved},
        "torso": {"moved": TORSO_MOVES, "limit": SOFT_LIMIT},
        "conditions": [name for name in avatar.talker.method.conditions if name != "null"],
        "speech": {**listener.facts(), "lookahead": listener.lookahead / SAMPLE_RATE, "last_row": listener.last_row},
        "motion": {
            "closed": motion.closed,
            "rest": motion.rest,
            "lowest": (angles.min(axis=0) - UNSEEN).tolist(),
            "highest": (angles.max(axis=0) + UNSEEN).tolist(),
            "limit": steering_limit(True),
            "neck": NECK.tolist(),
            "ease": EASE,
            "ease_lids": EASE_LIDS,
            "open": float(np.median(motion.blink)),
            "shut": float(motion.blink.max()),
        },
    }


def tensors(avatar: Avatar) -> Iterator[tuple[str, Tensor]]:
    """What the file holds, by name, in the order of docs/web.md."""
    shapes, torso, motion = avatar.blendshapes, avatar.torso, avatar.motion
    of_head, of_torso = strangers(avatar)
    yield from _prefixed("head", _set(shapes) | {"strangers": of_head.byte()})
    yield from _prefixed("tokens", _tokens(avatar.talker, shapes))
    yield from _prefixed("torso", _set(torso_shapes(torso)) | {"strangers": of_torso[drawing_order(torso)].byte()})
    yield from _prefixed("torso", {name: t for name, t in torso.state_dict().items() if name.startswith("weights.")})
    yield from _prefixed("torso", {"pose_mean": torso.pose_mean, "pose_scale": torso.pose_scale})
    yield "motion.viewmats", torch.from_numpy(motion.viewmats[:, :3]).float()
    yield "motion.blink", torch.from_numpy(motion.blink).float()
    sway = pose_numbers(torch.from_numpy(motion.sway).float())
    yield "motion.sway", ((sway - torso.pose_mean.cpu()) / torso.pose_scale.cpu()).half()
    kept = {name: torch.from_numpy(array).float() for name, array in avatar.listener.arrays().items()}
    yield from _prefixed("listener", {name: kept[name] for name in ("silent_row", "weights", "heard", "shown")})
    yield "background", _png((torso.background * 255).round().byte().cpu().numpy())
    yield "watermark", torch.from_numpy(pattern(payload_of(avatar.digest)))


def _prefixed(prefix: str, named: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield from ((f"{prefix}.{name}", tensor.detach().cpu()) for name, tensor in named.items())


def _set(shapes: Blendshapes) -> dict[str, Tensor]:
    """Gaussians and their bases, as docs/blendshapes.md has them."""
    named = {name: tensor for name, tensor in shapes.tensors().items() if not name.startswith("coefficients.")}
    return {name: tensor.half() if name in _HALVES else tensor for name, tensor in named.items()}


def _tokens(talker: Talker, shapes: Blendshapes) -> dict[str, Tensor]:
    """From each condition's numbers to the coefficients.

    What the tokens' last layers and the coefficients' first one do is one product, since nothing bends between them;
    what never changes, such as the null token, is in the bias.
    """
    first, _, second, _, third = shapes.coefficients.network
    parts = first.weight.unflatten(1, (len(talker.conditions), -1)).unbind(1)
    named, bias = {}, first.bias.clone()
    for part, (name, token) in zip(parts, talker.conditions.items(), strict=True):
        if name == "null":
            bias += part @ token.vector
            continue
        inner, _, outer = token.widen
        named |= {f"{name}.outer": part @ outer.weight, f"{name}.inner": inner.weight}
        if name == "camera":
            named |= {"camera.inner": inner.weight / token.scale, "camera.mean": token.mean}
    named |= {"bias": bias, "second.weight": second.weight, "second.bias": second.bias}
    named |= {"third.weight": third.weight, "third.bias": third.bias}
    return named | {"low": shapes.coefficients.low, "high": shapes.coefficients.high}


TORSO_MOVES = ("means", "scales", "quats", "colour")


@torch.no_grad()
def torso_shapes(torso: TorsoField) -> Blendshapes:
    """The torso's modes of change as blendshapes: their coefficients are the modes' weights, and the Gaussians lie in
    the order in which they are drawn, far ones first."""
    raw = Gaussians.from_dict({name: tensor.detach() for name, tensor in torso.raw.items()})
    order = drawing_order(torso)
    moved, turned, stretched, shaded = torso._modes()[order].split([2, 4, 3, 3], dim=1)
    modes = torch.cat([nn.functional.pad(moved, (0, 0, 0, 1)), stretched, turned, SH_DC * shaded], dim=1)
    reach = modes.abs().amax(dim=2).clamp_min(1e-7)
    bases = (modes / reach[..., None] * LEVELS).round().to(torch.int8).permute(2, 0, 1)
    rest = Gaussians.from_dict({name: tensor[order] for name, tensor in raw.to_dict().items()})
    return Blendshapes(rest, TORSO_MOVES, bases, reach, nn.Module())


def drawing_order(torso: TorsoField) -> Tensor:
    """Numbers of the torso's Gaussians, far ones first."""
    return torso.raw["means"].detach()[:, 2].argsort(descending=True, stable=True)


def _png(picture: np.ndarray) -> Tensor:
    file = BytesIO()
    Image.fromarray(picture).save(file, "png", optimize=True)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
