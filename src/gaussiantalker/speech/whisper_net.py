"""The encoder of Whisper (Radford et al. 2022, section 2.2) in plain torch: two convolutions and a transformer."""

import re
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech import ctranslate2, ggml


class _Attention(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_0 = nn.Linear(channels, 3 * channels)  # query, key and value in one
        self.linear_1 = nn.Linear(channels, channels)
        self.layer_norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:  # [B, T, C]
        split = self.linear_0(self.layer_norm(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.linear_1(mixed.transpose(1, 2).flatten(2))


class _FeedForward(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear_0 = nn.Linear(channels, 4 * channels)
        self.linear_1 = nn.Linear(4 * channels, channels)
        self.layer_norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_1(F.gelu(self.linear_0(self.layer_norm(x))))


class Layer(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.self_attention = _Attention(channels, heads)
        self.ffn = _FeedForward(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attention(x)
        return x + self.ffn(x)


class WhisperNet(nn.Module):
    """Log-mel blocks [B, 80, 2T] to hidden states [B, T, C], with the names of CTranslate2's tensors."""

    positions: Tensor  # [P, channels]

    def __init__(self, channels: int = 384, heads: int = 6, layers: int = 4, positions: int = 1500) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(80, channels, 3, padding=1)
        self.conv2 = nn.Conv1d(channels, channels, 3, stride=2, padding=1)
        self.register_buffer("positions", torch.zeros(positions, channels))
        self.heads, self.depth = heads, layers
        self.layers = nn.ModuleList(Layer(channels, heads) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(channels)

    @classmethod
    def read(cls, path: Path) -> "WhisperNet":
        """The pretrained encoder of a CTranslate2 `model.bin` of any size."""
        tensors = ctranslate2.read_tensors(path, "encoder/")
        positions = tensors.pop("encoder/position_encodings/encodings")
        heads = int(tensors.pop("encoder/num_heads"))
        state = {_module_name(name): torch.from_numpy(np.array(array)) for name, array in tensors.items()}
        state["positions"] = torch.from_numpy(positions)
        layers = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("layers."))
        net = cls(positions.shape[1], heads, layers, len(positions))
        net.load_state_dict(state)
        return net.eval()

    @classmethod
    def read_ggml(cls, path: Path) -> "WhisperNet":
        """The pretrained encoder of a ggml model of any size. Raises GaussianTalkerError when it holds another net."""
        header, tensors = ggml.read_tensors(path, "encoder.")
        net = cls(header.channels, header.heads, header.layers, header.positions)
        try:
            net.load_state_dict(_renamed({name: torch.from_numpy(array) for name, array in tensors.items()}))
        except (RuntimeError, KeyError) as error:
            raise GaussianTalkerError(f"{path} holds no encoder of Whisper; fetch it again.") from error
        return net.eval()

    def hidden(self, mel: Tensor, last: int) -> list[Tensor]:
        """Hidden states 0 (before the first layer) to `last`; the one after the final layer is normalised."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        states = [x + self.positions[: x.shape[1]]]
        for layer in self.layers[:last]:
            states.append(layer(states[-1]))
        if last == self.depth:
            states[-1] = self.layer_norm(states[-1])
        return states


def _module_name(tensor: str) -> str:
    name = re.sub(r"^layer_(\d+)", r"layers.\1", tensor.removeprefix("encoder/"))
    return name.replace("gamma", "weight").replace("beta", "bias").replace("/", ".")


_OURS = MappingProxyType(
    {
        "blocks": "layers",
        "attn_ln": "self_attention.layer_norm",
        "attn.out": "self_attention.linear_1",
        "mlp_ln": "ffn.layer_norm",
        "mlp.0": "ffn.linear_0",
        "mlp.2": "ffn.linear_1",
        "ln_post": "layer_norm",
        "positional_embedding": "positions",
    }
)


def _renamed(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of OpenAI's module, which ggml files keep, under those of this one."""
    state = {}
    for name, weight in published.items():
        name = name.removeprefix("encoder.")
        for theirs, ours in _OURS.items():
            name = name.replace(theirs, ours)
        state[name] = weight.flatten() if name.endswith("bias") else weight
    for layer in {name.split(".attn.")[0] for name in state if ".attn." in name}:
        query, key, value = (state.pop(f"{layer}.attn.{part}.weight") for part in ("query", "key", "value"))
        state[f"{layer}.self_attention.linear_0.weight"] = torch.cat([query, key, value])
        query, value = (state.pop(f"{layer}.attn.{part}.bias") for part in ("query", "value"))
        state[f"{layer}.self_attention.linear_0.bias"] = torch.cat([query, torch.zeros_like(query), value])
    return state
