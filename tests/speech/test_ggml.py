import struct

import numpy as np
import pytest
import torch

from gaussiantalker import speech
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech.ggml import read_tensors
from gaussiantalker.speech.whisper import Whisper
from gaussiantalker.speech.whisper_net import WhisperNet


def write_model(path, net, tensors):
    """The format as whisper.cpp's converter writes it: half-precision matrices, biases and positions in full."""
    layers, heads, channels = len(net.layers), net.layers[0].self_attention.heads, net.positions.shape[1]
    out = struct.pack("<12i", 0x67676D6C, 2, len(net.positions), channels, heads, layers, 8, 8, 1, 1, 80, 1)
    out += struct.pack("<2i", 80, 3) + np.zeros((80, 3), np.float32).tobytes()
    out += struct.pack("<i", 2) + struct.pack("<i", 3) + b"the" + struct.pack("<i", 1) + b"a"
    for name, weight in tensors.items():
        array = weight.numpy()
        array = array[:, None] if "conv" in name and name.endswith("bias") else array
        half = array.ndim > 1 and not name.endswith(("bias", "embedding"))
        array = array.astype(np.float16 if half else np.float32)
        out += struct.pack("<3i", array.ndim, len(name), int(half)) + struct.pack(f"<{array.ndim}i", *array.shape[::-1])
        out += name.encode() + array.tobytes()
    path.write_bytes(out)


def tensors_of(net):
    """A net's weights under OpenAI's names."""
    state, out = net.state_dict(), {}
    for key, weight in state.items():
        key = key.replace("layers.", "blocks.").replace("self_attention.layer_norm", "attn_ln")
        key = key.replace("ffn.layer_norm", "mlp_ln").replace("ffn.linear_0", "mlp.0").replace("ffn.linear_1", "mlp.2")
        key = key.replace("self_attention.linear_1", "attn.out").replace("positions", "positional_embedding")
        key = "encoder." + ("ln_post" + key.removeprefix("layer_norm") if key.startswith("layer_norm") else key)
        if "self_attention.linear_0" in key:
            for part, third in zip(("query", "key", "value"), weight.chunk(3), strict=True):
                out[key.replace("self_attention.linear_0", f"attn.{part}")] = third
        else:
            out[key] = weight
    return {name: weight for name, weight in out.items() if not name.endswith("attn.key.bias")}


@pytest.fixture
def net(tiny):
    """One whose keys have no bias, as OpenAI's have none."""
    torch.manual_seed(1)
    net = WhisperNet(channels=128, heads=2, layers=2, positions=64).eval()
    torch.nn.init.normal_(net.positions)
    for layer in net.layers:
        layer.self_attention.linear_0.bias.data[128:256] = 0
    return net


def test_a_model_file_is_read_back(tmp_path, net):
    decoder = {"decoder.token_embedding.weight": torch.zeros(2, 8)}
    write_model(tmp_path / "model.bin", net, decoder | tensors_of(net))
    encoder = Whisper(WhisperNet.read_ggml(tmp_path / "model.bin"))
    assert encoder.channels == 128
    mel = torch.randn(1, 80, 40)
    for a, b in zip(encoder.net.float().hidden(mel, 2), net.hidden(mel, 2), strict=True):
        torch.testing.assert_close(a, b, atol=0.02, rtol=0.02)


def test_a_cut_or_foreign_file_is_refused(tmp_path, net):
    write_model(tmp_path / "model.bin", net, tensors_of(net))
    whole = (tmp_path / "model.bin").read_bytes()
    for content in (b"", b"RIFF....", whole[:30], whole[:1500], whole[:-10]):
        (tmp_path / "model.bin").write_bytes(content)
        with pytest.raises(GaussianTalkerError, match="not a whole ggml model"):
            read_tensors(tmp_path / "model.bin", "encoder.")


def test_a_model_without_an_encoder_is_refused(tmp_path, net):
    some = dict(list(tensors_of(net).items())[:9])
    for tensors in ({}, some):
        write_model(tmp_path / "model.bin", net, tensors)
        with pytest.raises(GaussianTalkerError, match="holds no encoder"):
            WhisperNet.read_ggml(tmp_path / "model.bin")


def test_the_pretrained_twin_hears_the_same_in_any_pieces(model, babble):
    model("whisper-tiny")
    encoder = speech.load("whisper-multilingual")
    whole = encoder.features(babble)
    assert encoder.channels == 384 and np.isfinite(whole).all() and whole.std() > 0.1
    stream = encoder.stream()
    pieces = [stream.push(piece) for piece in np.array_split(babble, 23)]
    np.testing.assert_allclose(np.concatenate([*pieces, stream.finish()]), whole, atol=1e-4)
