"""The speech part of an exported folder: what an avatar hears with, as the player in a page reads it.

`hearing.safetensors` holds the layers of Whisper's encoder that avatars listen with, and the rules of the gate on
silence. Nothing in it is a person's own: the mouth reader is in the avatar's file.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from torch import Tensor

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path
from gaussiantalker.speaking import Avatar
from gaussiantalker.speech import mel, silence
from gaussiantalker.speech.whisper import Whisper
from gaussiantalker.talker import MouthListener
from gaussiantalker.talker.mouth_reader import PAST_ROWS

HEARING = "hearing.safetensors"
_PANEL = 8  # columns of a product that the player computes together


def write_hearing(avatar: Avatar, folder: Path) -> dict[str, int]:
    """Writes what `player/hearing.js` needs beside the avatar's file into the exported folder.

    Returns bytes by file name. Raises GaussianTalkerError when the avatar hears in another way than by a mouth code
    from early layers of Whisper.
    """
    encoder = avatar.listener.encoder
    if not isinstance(avatar.listener, MouthListener) or not isinstance(encoder, Whisper):
        raise GaussianTalkerError("Only avatars of the method mouth-code can hear in a page: train one with it.")
    content = save(_tensors(encoder), {"rules": json.dumps(_rules(encoder))})
    with atomic_path(folder / HEARING) as file:
        file.write_bytes(content)
    return {HEARING: len(content)}


def _tensors(encoder: Whisper) -> dict[str, np.ndarray]:
    """Weights up to the last layer that is read, in half precision as they are published; and for spectra, in single
    precision, Whisper's filters [80, 201] and what each band counts in those of the gate [2, 80]."""
    last = max(encoder.layers)
    kept = {"positions": encoder.net.positions[: encoder.blocks.rows]}
    for name, tensor in encoder.net.state_dict().items():
        layer = int(name.split(".")[1]) if name.startswith("layers.") else -1
        if layer < last and not name.startswith(("positions", "layer_norm.")):
            kept[name] = _panels(tensor) if tensor.ndim > 1 else tensor
    halves = {name: tensor.half().contiguous().numpy() for name, tensor in kept.items()}
    bands = np.stack([mel.band_weights(*band) for band in silence.BANDS_HZ]).astype(np.float32)
    return halves | {"filters": mel.filterbank(), "bands": bands}


def _panels(weight: Tensor) -> Tensor:
    """[outer / 8, inner, 8] of a linear layer's weights [outer, inner], or a convolution's [outer, channels, kernel]
    with the kernel first."""
    flat = weight.transpose(1, 2).flatten(1) if weight.ndim == 3 else weight
    return flat.unflatten(0, (-1, _PANEL)).transpose(1, 2)


def _rules(encoder: Whisper) -> dict[str, Any]:
    """The numbers of the blocks, of the reader's windows and of the gate."""
    blocks = encoder.blocks
    return {
        "layers": encoder.layers,
        "heads": encoder.net.heads,
        "left": blocks.left,
        "hop": blocks.hop,
        "right": blocks.right,
        "before": mel.FLOOR,
        "past": PAST_ROWS,
        "gate": asdict(silence.RULES),
    }
