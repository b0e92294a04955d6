"""An avatar as one compact file, which a page reads and shows without anything else (docs/web.md)."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as serialize
from torch import Tensor

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export.strangers import strangers
from gaussiantalker.geometry import yaw_pitch_roll
from gaussiantalker.provenance.watermark import pattern, payload_of
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.director import steering_limit
from gaussiantalker.speaking.motion import EASE, EASE_LIDS, NECK, UNSEEN
from gaussiantalker.talker import Blendshapes, MouthListener, Talker, Torso
from gaussiantalker.talker.conditions import CameraToken, NullToken
from gaussiantalker.talker.torso import SOFT_LIMIT, pose_numbers
from gaussiantalker.timing import FPS, SAMPLE_RATE

_FORMAT = 2
_CONDITIONS = ("mouth", "eye", "camera", "null")
"""What a page can tell an avatar."""


def compact(avatar: Avatar) -> bytes:
    """The file: a safetensors file whose metadata hold, under `avatar`, the facts as JSON.

    Raises GaussianTalkerError where the avatar is of a kind that pages cannot show.
    """
    check(avatar)
    named = dict(_named(avatar))
    return serialize(
        {name: tensor.contiguous() for name, tensor in named.items()}, {"avatar": json.dumps(_facts(avatar))}
    )


def check(avatar: Avatar) -> None:
    """Raises GaussianTalkerError where the avatar is of a kind that pages cannot show."""
    method = avatar.talker.method
    plain = method.token_net == "mlp" and not method.period
    if not isinstance(avatar.listener, MouthListener) or not plain or set(method.conditions) - set(_CONDITIONS):
        raise GaussianTalkerError(
            f"A page cannot compute the speech features of {method.title}: train one with --method mouth-code, "
            "or let serve send its pictures."
        )
    if avatar.torso is None:
        raise GaussianTalkerError(
            "This avatar's neck and shoulders are recorded frames, which pages do not show: train it again, with a "
            "torso, as every method has unless told otherwise."
        )


def _facts(avatar: Avatar) -> dict[str, Any]:
    """What the file says in words and single numbers."""
    motion, listener, torso = avatar.motion, avatar.listener, avatar.torso
    assert torso is not None  # as `check` has seen
    angles = yaw_pitch_roll(motion.rotations)
    return {
        "format": _FORMAT,
        **avatar.provenance,
        "synthetic": "Everything this avatar shows and says is generated.",
        "fps": FPS,
        "camera": {name: getattr(avatar.camera, name) for name in ("focal", "cx", "cy", "width", "height")},
        "head": {"moved": avatar.shapes.moved},
        "torso": dict(zip(("top", "margin", "limit"), (*torso.place, SOFT_LIMIT), strict=True)),
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


def _named(avatar: Avatar) -> Iterator[tuple[str, Tensor]]:
    """What the file holds, by name, in the order of docs/web.md."""
    shapes, torso, motion, listener = avatar.shapes, avatar.torso, avatar.moved, avatar.listener
    assert torso is not None and isinstance(listener, MouthListener)  # as `check` has seen
    yield from _prefixed("head", _set(shapes) | {"strangers": strangers(avatar).byte()})
    yield from _prefixed("tokens", _tokens(avatar.talker, shapes))
    yield from _prefixed("torso", _torso(torso))
    yield "motion.viewmats", torch.from_numpy(motion.viewmats[:, :3]).float()
    yield "motion.blink", torch.from_numpy(motion.blink).float()
    sway = pose_numbers(torch.from_numpy(motion.sway).float())
    yield "motion.sway", ((sway - torso.pose_mean.cpu()) / torso.pose_scale.cpu()).half()
    yield "motion.body", torch.from_numpy(motion.codes).half()
    kept = {name: torch.from_numpy(array).float() for name, array in listener.arrays().items()}
    yield from _prefixed("listener", {name: kept[name] for name in ("silent_row", "weights", "heard", "shown")})
    yield "background", _png((torso.background * 255).round().byte().cpu().numpy())
    yield "watermark", torch.from_numpy(pattern(payload_of(avatar.digest)))


def _prefixed(prefix: str, named: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield from ((f"{prefix}.{name}", tensor.detach().cpu()) for name, tensor in named.items())


def _set(shapes: Blendshapes) -> dict[str, Tensor]:
    """Gaussians and their bases, as docs/blendshapes.md has them."""
    return {name: tensor for name, tensor in shapes.tensors().items() if not name.startswith("coefficients.")}


def _tokens(talker: Talker, shapes: Blendshapes) -> dict[str, Tensor]:
    """From each condition's numbers to the coefficients.

    What the tokens' last layers and the coefficients' first one do is one product, since nothing bends between them;
    what never changes, such as the null token, is in the bias.
    """
    first, bias, second, second_bias, third, third_bias = shapes.coefficients.parameters()
    parts = first.unflatten(1, (len(talker.conditions), -1)).unbind(1)
    named, bias = {}, bias.clone()
    for part, token in zip(parts, talker.conditions.tokens, strict=True):
        if isinstance(token, NullToken):
            bias += part @ token.vector
            continue
        inner, outer = token.get_submodule("widen").parameters()
        named |= {f"{token.name}.outer": part @ outer, f"{token.name}.inner": inner}
        if isinstance(token, CameraToken):
            named |= {"camera.inner": inner / token.scale, "camera.mean": token.mean}
    named |= {"bias": bias, "second.weight": second, "second.bias": second_bias}
    named |= {"third.weight": third, "third.bias": third_bias}
    return named | {"low": shapes.coefficients.low, "high": shapes.coefficients.high}


def _torso(torso: Torso) -> dict[str, Tensor]:
    """A torso's tensors with channels last, as graphics cards have them."""
    named = {name: tensor for name, tensor in torso.state_dict().items() if name != "origin"}
    last = {"texture": named["texture"].movedim(0, -1), "shades": named["shades"].movedim(1, -1)}
    return named | last | {"flow": named["flow"].movedim(1, -1)}


def _png(picture: np.ndarray) -> Tensor:
    file = BytesIO()
    Image.fromarray(picture).save(file, "png", optimize=True)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
