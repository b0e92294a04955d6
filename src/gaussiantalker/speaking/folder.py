"""An avatar's folder: what is written where, and how it is read again."""

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from gaussiantalker import __version__, speech
from gaussiantalker.capture.soundness import checked_camera
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import Camera
from gaussiantalker.media.files import atomic_path, make_folder, read_arrays, read_json, write_json
from gaussiantalker.media.image import read_image, write_image
from gaussiantalker.media.tensors import read_tensors, write_tensors
from gaussiantalker.media.video import read_frames, write_video
from gaussiantalker.progress import Progress
from gaussiantalker.speaking.motion import Motion
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import (
    Blendshapes,
    Listener,
    Method,
    MouthListener,
    Talker,
    Torso,
    WindowListener,
    find_method,
)
from gaussiantalker.talker.blendshapes import NUMBERS

FORMAT, BLENDSHAPES_FORMAT = 3, 1
BLENDSHAPES = "blendshapes.safetensors"
NAMED_METHODS = 2  # the format in which a method was its name alone
PLATES_CRF = 10  # plates lie behind every frame, so they are kept near-lossless


# What reading a folder's files may raise where they are not what they were written as.
_BROKEN = (SafetensorError, LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError)


class Parts(NamedTuple):
    """All that a folder holds, in the order of `Avatar`'s fields."""

    info: dict[str, Any]  # avatar.json
    talker: Talker
    listener: Listener
    camera: Camera
    motion: Motion
    plates: np.ndarray | None  # uint8 [M, H, W, 3]
    torso: Torso | None
    blendshapes: Blendshapes | None  # None where the model has not been baked


def read_folder(path: Path, device: torch.device, progress: Progress) -> Parts:
    """What an avatar's folder holds, networks on the device.

    Raises:
        GaussianTalkerError: it is no avatar, a file is missing or damaged, or a newer version wrote it.
    """
    info = check_folder(path)
    try:
        return _read(path, info, device, progress)
    except _BROKEN as error:
        raise GaussianTalkerError(
            f"{path} is damaged, or another version's: GaussianTalker {info.get('written_by', 'of another version')} "
            f"wrote it in format {info['format']}, and this is {__version__}; use that version, copy the folder anew, "
            "or train again."
        ) from error


def _read(path: Path, info: dict[str, Any], device: torch.device, progress: Progress) -> Parts:
    tensors = _finite(read_tensors(_part(path, "model.safetensors"))[0])
    listener = _listener(info["speech"], tensors, progress)
    talker = _talker(info, tensors, listener.channels).to(device)
    motion = _motion(_part(path, "motion.npz"))
    camera, blendshapes = checked_camera(path / "avatar.json", info), _blendshapes(path)
    if blendshapes and blendshapes.coefficients.inputs != len(talker.conditions) * talker.triplane.width:
        raise ValueError("the blendshapes take other tokens than the model makes")
    torso = _torso(path, camera).to(device) if info["torso"] == "pictures" else None
    if torso and motion.body is not None and motion.body.shape[1] != torso.numbers:
        raise ValueError("the torso takes other codes than motion.npz holds")
    plates = None if torso else np.stack(list(read_frames(_part(path, "plates.mp4"))))
    return Parts(info, talker, listener, camera, motion, plates, torso, blendshapes.to(device) if blendshapes else None)


def _motion(path: Path) -> Motion:
    """Raises ValueError where the arrays do not belong together."""
    arrays = read_arrays(path, "rotations", "translations", "blink", "closed")
    closed, moves = arrays.pop("closed"), len(arrays["blink"])
    shapes = {"rotations": (moves, 3, 3), "translations": (moves, 3), "blink": (moves,)}
    fit = all(arrays[name].shape == shape and arrays[name].dtype.kind == "f" for name, shape in shapes.items())
    fit = fit and all(np.isfinite(arrays[name]).all() for name in shapes)
    if not moves or not fit or closed.size != 1 or closed.dtype.kind not in "biu":
        raise ValueError(f"{path.name} holds arrays of another kind or shape, or numbers that are not finite")
    body = read_arrays(path).get("body")  # none beside plates
    if body is not None and (body.ndim != 2 or len(body) != moves or not np.isfinite(body).all()):
        raise ValueError(f"{path.name} does not say what the body does in every frame")
    return Motion(arrays["rotations"], arrays["translations"], arrays["blink"], closed=bool(closed), body=body)


def _listener(facts: dict[str, Any], tensors: dict[str, Tensor], progress: Progress) -> Listener:
    arrays = {name.removeprefix("listener."): t.numpy() for name, t in tensors.items() if name.startswith("listener.")}
    kind = MouthListener if "mouth" in facts else WindowListener
    return kind.from_arrays(speech.load(facts["encoder"], progress), arrays, facts)


def write_folder(path: str | Path, parts: Parts) -> None:
    """Writes the folder; `avatar.json` comes last, so a folder without it is not an avatar yet."""
    path = make_folder(path)
    tensors = {f"talker.{name}": tensor for name, tensor in parts.talker.state_dict().items()}
    tensors |= {f"listener.{name}": torch.from_numpy(array) for name, array in parts.listener.arrays().items()}
    write_tensors(path / "model.safetensors", tensors)
    (path / BLENDSHAPES).unlink(missing_ok=True)
    if parts.blendshapes:
        write_blendshapes(path, parts.blendshapes)
    motion = parts.motion
    known: dict[str, Any] = {} if motion.body is None else {"body": motion.body}
    with atomic_path(path / "motion.npz") as temporary:
        np.savez(
            temporary,
            rotations=motion.rotations,
            translations=motion.translations,
            blink=motion.blink,
            closed=motion.closed,
            **known,
        )
    if parts.torso is not None:
        write_image(path / "background.png", (parts.torso.background * 255).round().byte().cpu().numpy())
        write_tensors(path / "torso.safetensors", parts.torso.state_dict())
    elif parts.plates is not None:
        write_video(path / "plates.mp4", parts.plates, None, crf=PLATES_CRF)
    write_json(path / "avatar.json", facts(parts))


def facts(parts: Parts) -> dict[str, Any]:
    """What avatar.json tells: `info`, and every value that the avatar is built from beside its tensors."""
    return {
        **parts.info,
        "format": FORMAT,
        "written_by": __version__,
        "method": asdict(parts.talker.method),
        "camera": asdict(parts.camera),
        "speech": parts.listener.facts(),
        "gaussians": len(parts.talker.raw["means"]),
        "torso": "pictures" if parts.torso else "plates",
    }


def write_blendshapes(path: Path, blendshapes: Blendshapes) -> None:
    """Adds to an avatar's folder what its model was baked to."""
    about = {"format": str(BLENDSHAPES_FORMAT), "moved": " ".join(blendshapes.moved), "model": _fingerprint(path)}
    write_tensors(path / BLENDSHAPES, blendshapes.tensors(), about)


def _blendshapes(path: Path) -> Blendshapes | None:
    """What the folder's model was baked to; None where there is no such file, or it belongs to another model."""
    if not (path / BLENDSHAPES).is_file():
        return None
    tensors, about = read_tensors(path / BLENDSHAPES)
    if about.get("format") != str(BLENDSHAPES_FORMAT) or about.get("model") != _fingerprint(path):
        return None
    moved = tuple(about["moved"].split())
    _check_gaussians(_finite(tensors))
    bases, reach = tensors["bases"], tensors["reach"]
    if bases.dtype != torch.int8 or bases.shape[1:] != reach.shape or reach.shape[1] != sum(NUMBERS[m] for m in moved):
        raise ValueError("bases of another kind or shape")
    return Blendshapes.from_tensors(tensors, moved)


def _check_gaussians(tensors: dict[str, Tensor]) -> None:
    """Raises ValueError where Gaussians do not belong together, or a tensor beside bases is no float."""
    count = len(tensors["means"])
    for name, shape in {"means": (3,), "quats": (4,), "log_scales": (3,), "opacity_logits": ()}.items():
        if tensors[name].shape != (count, *shape):
            raise ValueError(f"{name} of another shape")
    harmonics = tensors["sh"]
    if harmonics.ndim != 3 or len(harmonics) != count or harmonics.shape[2] != 3:
        raise ValueError("harmonics of another shape")
    for name, tensor in tensors.items():
        if name != "bases" and not tensor.is_floating_point():
            raise ValueError(f"{name} is of another kind of number")


def _fingerprint(path: Path) -> str:
    return hashlib.sha256(_part(path, "model.safetensors").read_bytes()).hexdigest()[:16]


def _finite(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same. Raises ValueError where a number is not finite."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} is not finite")
    return tensors


def check_folder(path: Path) -> dict[str, Any]:
    """The facts of an avatar's folder. Raises GaussianTalkerError when it is none, or of another version.

    A method of which an older version wrote the name alone is today's of that name.
    """
    if not (path / "avatar.json").is_file():
        raise GaussianTalkerError(f"{path} is not an avatar (it has no avatar.json): give a folder written by 'train'.")
    info = read_json(path / "avatar.json")
    known = isinstance(info, dict) and info.get("format") in (NAMED_METHODS, FORMAT)
    if not known or not isinstance(info.get("recipe", {}), dict):
        raise _other_version(path, info if isinstance(info, dict) else {})
    if info.get("torso") == "field":
        raise GaussianTalkerError(f"{path} has a torso of a kind that is no longer drawn: train it again.")
    if info["format"] == NAMED_METHODS:
        info["method"] = asdict(find_method(str(info.get("method"))))
        if "recipe" in info:
            info["recipe"]["method"] = json.loads(json.dumps(info["method"]))
    return info


def _talker(info: dict[str, Any], tensors: dict[str, Tensor], speech_channels: int) -> Talker:
    method = Method.read(info["method"])
    state = {_renamed(name): t.clone() for name, t in tensors.items() if name.startswith("talker.")}
    if "camera" not in method.conditions:  # it was kept even so
        state = {name: t for name, t in state.items() if not name.startswith("conditions.camera.")}
    gaussians = Gaussians.from_dict({name.removeprefix("raw."): t for name, t in state.items()})
    with torch.device("meta"):  # no memory is taken for sizes that the file does not bear out
        talker = Talker(method, gaussians, speech_channels)
    talker.free = state["free"]
    for name, tensor in talker.state_dict().items():
        if name in state and state[name].dtype != tensor.dtype:
            raise ValueError(f"{name} is of another kind of number")
    talker.load_state_dict(state, assign=True)
    return talker.eval().requires_grad_(False)


# What tensors were called before each condition was a class of its own.
_NAMES = (
    (re.compile(r"^pose_(mean|scale)$"), r"conditions.camera.\1"),
    (re.compile(r"^conditions\.speech\."), r"conditions.audio.speech."),
    (re.compile(r"^conditions\.(audio|eye|camera)\.(\d)"), r"conditions.\1.widen.\2"),
    (re.compile(r"^conditions\.null$"), r"conditions.null.vector"),
)


def _renamed(name: str) -> str:
    """Today's name of a talker's tensor."""
    name = name.removeprefix("talker.")
    for pattern, today in _NAMES:
        name = pattern.sub(today, name)
    return name


def _torso(path: Path, camera: Camera) -> Torso:
    state = _finite(read_tensors(_part(path, "torso.safetensors"))[0])
    background = read_image(_part(path, "background.png"))
    if background.shape[:2] != (camera.height, camera.width):
        raise GaussianTalkerError(
            f"{path / 'background.png'} must have {camera.width} x {camera.height} pixels like the avatar: resize it."
        )
    return Torso(state, background)


def _other_version(path: Path, info: dict[str, Any]) -> GaussianTalkerError:
    return GaussianTalkerError(
        f"{path} was written by GaussianTalker {info.get('written_by', 'of another version')} in format "
        f"{info.get('format')} and cannot be read by {__version__}: use that version, or train again."
    )


def _part(path: Path, name: str) -> Path:
    if not (path / name).is_file():
        raise GaussianTalkerError(f"{path} is incomplete, {name} is missing: run the training command again.")
    return path / name
