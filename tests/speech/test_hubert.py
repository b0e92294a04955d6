import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gaussiantalker import speech
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech.hubert import SelfSupervised
from gaussiantalker.timing import frame_count


class Convolutions(torch.nn.Module):
    """HuBERT's front in one layer: a window of 400 samples every 320."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv1d(1, 8, 400, stride=320)

    def forward(self, values):
        return SimpleNamespace(last_hidden_state=self.layer(values[:, None]).transpose(1, 2))


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return SelfSupervised("hubert", Convolutions().eval(), 8)


@pytest.mark.parametrize("samples", [1, 641, 30_001])
def test_pieces_give_the_rows_of_the_whole(encoder, babble, samples):
    whole = encoder.features(babble[:samples])
    assert whole.shape == (2 * frame_count(samples), 8)
    stream = encoder.stream()
    pieces = [stream.push(piece) for piece in np.array_split(babble[:samples], 13)]
    np.testing.assert_allclose(np.concatenate([*pieces, stream.finish()]), whole, atol=1e-4)


def test_loudness_does_not_matter(encoder, babble):
    spoken = slice(60, 70)  # rows whose block holds loud sound
    np.testing.assert_allclose(encoder.features(babble)[spoken], encoder.features(0.3 * babble)[spoken], atol=0.05)


def test_without_the_package_one_sentence_says_what_to_install():
    program = (
        "import sys; sys.modules['transformers'] = None\n"
        "from gaussiantalker import speech\n"
        "try: speech.load('hubert')\n"
        "except Exception as error: assert 'gaussiantalker[hubert]' in str(error), error\n"
        "else: raise SystemExit('no error')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_hub_out_of_reach_is_one_sentence(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route")

    fake = SimpleNamespace(AutoModel=SimpleNamespace(from_pretrained=unreachable))
    monkeypatch.setitem(sys.modules, "transformers", fake)
    with pytest.raises(GaussianTalkerError, match="facebook/wav2vec2-base-960h cannot be fetched"):
        speech.load("wav2vec2")
