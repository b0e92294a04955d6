"""HuBERT (Hsu et al. 2021) and wav2vec 2.0 (Baevski et al. 2020), through the extra `hubert`, in sliding blocks.

Both turn samples into rows at 50 Hz by the same convolutions (a window of 400 samples every 320). Their authors trained
on whole utterances normalised to zero mean and unit variance; here every block is.
"""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech.blocks import BlockEncoder, Blocks

_WINDOW_BEYOND_STEP = 80  # samples
_FAINT = 1e-6  # variance, -60 dB: softer blocks are not blown up to the level of speech


class _Published(NamedTuple):
    repository: str
    revision: str


_MODELS = MappingProxyType(
    {
        "hubert": _Published("facebook/hubert-large-ls960-ft", "ece5fabbf034c1073acae96d5401b25be96709d8"),
        "wav2vec2": _Published("facebook/wav2vec2-base-960h", "22aad52d435eb6dbaf354bdad9b0da84ce7d6156"),
    }
)
"""The models that talking-head work uses; weights are Apache-2.0."""


class SelfSupervised(BlockEncoder):
    """The last hidden state, as the field's preparation scripts take it."""

    blocks = Blocks(left=50, hop=10, right=10)
    more_items = _WINDOW_BEYOND_STEP

    def __init__(self, name: str, net: torch.nn.Module, channels: int) -> None:
        """`net` maps samples [B, S] to an object whose `last_hidden_state` is [B, rows, channels]."""
        self.name, self.channels, self._net = name, channels, net

    @classmethod
    def read(cls, name: str) -> "SelfSupervised":
        """The published model of this name; raises GaussianTalkerError when it or the extra cannot be had."""
        try:
            from transformers import AutoModel
        except ImportError as error:
            raise GaussianTalkerError(f"{name} needs transformers: pip install 'gaussiantalker[hubert]'.") from error
        model = _MODELS[name]
        try:
            net = AutoModel.from_pretrained(model.repository, revision=model.revision)
        except OSError as error:
            raise GaussianTalkerError(
                f"{model.repository} cannot be fetched from the Hugging Face hub: connect to the network, fill HF_HOME "
                "with a cache from another machine, or use the encoder 'whisper', which needs no hub."
            ) from error
        return cls(name, net.eval(), net.config.hidden_size)

    def encode(self, blocks: np.ndarray) -> np.ndarray:
        """Samples [B, 320 rows + 80] to the rows they are for [B, hop, channels]."""
        centred = blocks - blocks.mean(axis=1, keepdims=True)
        values = centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + _FAINT)
        with torch.inference_mode():
            rows = self._net(torch.from_numpy(values.astype(np.float32))).last_hidden_state
        return rows[:, self.blocks.left : self.blocks.left + self.blocks.hop].numpy()
