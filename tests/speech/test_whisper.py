import struct

import numpy as np
import pytest
import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech import whisper
from gaussiantalker.speech.ctranslate2 import read_tensors
from gaussiantalker.speech.whisper import Whisper
from gaussiantalker.speech.whisper_kernel import encoded, packed
from gaussiantalker.speech.whisper_net import WhisperNet


def write_model(path, tensors):
    """The format as CTranslate2 documents it, written from the other side."""
    types = {np.dtype("float32"): 0, np.dtype("int8"): 1, np.dtype("int16"): 2, np.dtype("float16"): 4}

    def name(text):
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    out = struct.pack("<I", 6) + name("WhisperSpec") + struct.pack("<II", 3, len(tensors))
    for key, array in tensors.items():
        out += name(key) + struct.pack("<B", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape)
        out += struct.pack("<BI", types[array.dtype], array.nbytes) + array.tobytes()
    path.write_bytes(out)


def tensors_of(net):
    """A net's weights under CTranslate2's names, in half precision."""
    out = {"encoder/num_heads": np.array(net.layers[0].self_attention.heads, np.int16)}
    for key, value in net.state_dict().items():
        key = key.replace("layers.", "layer_").replace(".", "/")
        if "layer_norm" in key:
            key = key.replace("weight", "gamma").replace("bias", "beta")
        key = key.replace("positions", "position_encodings/encodings")
        out["encoder/" + key] = value.numpy().astype(np.float16)
    return out


def test_a_model_file_is_read_back(tmp_path, tiny):
    decoder = {"decoder/embeddings/weight": np.zeros((3, 2), np.int8)}
    write_model(tmp_path / "model.bin", tensors_of(tiny.net) | decoder)
    read = WhisperNet.read(tmp_path / "model.bin")
    mel = torch.randn(1, 80, 40)
    for a, b in zip(read.hidden(mel, 3), tiny.net.float().hidden(mel, 3), strict=True):
        torch.testing.assert_close(a, b, atol=0.02, rtol=0.02)


def test_a_cut_or_foreign_file_is_refused(tmp_path, tiny):
    write_model(tmp_path / "model.bin", tensors_of(tiny.net))
    whole = (tmp_path / "model.bin").read_bytes()
    for content in (b"", b"RIFF....", whole[:1000], whole[:-10]):
        (tmp_path / "model.bin").write_bytes(content)
        with pytest.raises(GaussianTalkerError, match="not a whole CTranslate2 model"):
            read_tensors(tmp_path / "model.bin", "encoder/")


@pytest.mark.parametrize("layers", [(2,), (1, 2), (0, 3)])
@pytest.mark.parametrize("count", [1, 3])
def test_the_kernel_hears_what_its_twin_does(layers, count):
    torch.manual_seed(2)
    net = WhisperNet(channels=128, heads=2, layers=3, positions=90).eval()
    for parameter in [net.positions, *net.layer_norm.parameters(), *net.layers[0].ffn.layer_norm.parameters()]:
        torch.nn.init.normal_(parameter)
    blocks = torch.randn(count, 2 * 70, 80)  # longer than the kernel's columns
    with torch.inference_mode():
        states = net.hidden(blocks.transpose(1, 2), max(layers))
        expected = torch.cat([states[layer][:, 5:12] for layer in layers], dim=-1)
    heard = encoded(blocks.numpy(), packed(net, max(layers), 70), layers, 5, 7)
    np.testing.assert_allclose(heard, expected, atol=2e-5)


def test_the_same_bits_for_any_number_of_threads_and_blocks(tiny):
    blocks, found = np.random.default_rng(0).normal(size=(3, 2 * tiny.blocks.rows, 80)).astype(np.float32), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(tiny.encode(blocks))
    torch.set_num_threads(1)
    alone = np.concatenate([tiny.encode(block[None]) for block in blocks])
    assert all(np.array_equal(found[0], other) for other in (*found[1:], alone))


def test_heads_that_are_not_whisper_s_are_refused():
    with pytest.raises(GaussianTalkerError, match="not Whisper's"):
        Whisper(WhisperNet(channels=96, heads=2, layers=2, positions=64))


def test_loudness_within_the_range_shifts_the_input_alone(tiny, monkeypatch):
    blocks = np.random.default_rng(0).uniform(-4, 1, (3, 2 * tiny.blocks.rows, 80)).astype(np.float32)
    seen = []
    monkeypatch.setattr(whisper, "encoded", lambda mel, *_: seen.append(mel))
    tiny.encode(blocks)
    tiny.encode(blocks - 2)
    np.testing.assert_allclose(seen[0] - 0.5, seen[1], atol=1e-6)


def test_the_pretrained_encoder_hears_the_same_in_any_pieces(model, babble):
    encoder = Whisper(WhisperNet.read(model("whisper-tiny-en")))
    whole = encoder.features(babble)
    stream = encoder.stream()
    pieces = [stream.push(piece) for piece in np.array_split(babble, 23)]
    np.testing.assert_allclose(np.concatenate([*pieces, stream.finish()]), whole, atol=1e-4)
