import subprocess
import sys

import numpy as np
import pytest

from gaussiantalker.speech import phones
from gaussiantalker.speech.phones import recognise


def test_every_phone_belongs_to_one_viseme():
    assert len(phones.PHONES) == len(set(phones.PHONES)) == 40


def test_without_the_package_one_sentence_says_what_to_install():
    program = (
        "import sys; sys.modules['pocketsphinx'] = None\n"
        "import numpy as np; from gaussiantalker.speech.phones import recognise\n"
        "try: recognise(np.zeros(640, np.float32))\n"
        "except Exception as error: assert 'gaussiantalker[phones]' in str(error), error\n"
        "else: raise SystemExit('no error')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture(scope="module")
def sphinx():
    return pytest.importorskip("pocketsphinx")


def test_phones_cover_the_sound_without_a_gap(sphinx, babble, monkeypatch):
    monkeypatch.setattr(phones, "_LONGEST", 30)  # so that the sound is cut into pieces
    heard = recognise(babble)
    assert heard[0].start == 0 and heard[-1].end == pytest.approx(len(babble) / 16_000)
    assert all(a.end == b.start for a, b in zip(heard, heard[1:], strict=False))
    assert {phone.name for phone in heard} <= set(phones.PHONES)


def test_silence_has_no_phones(sphinx):
    assert {phone.name for phone in recognise(np.zeros(32_000, np.float32))} <= {"SIL"}
    assert recognise(np.zeros(0, np.float32)) == []


def test_phones_as_features_are_one_hot_and_stream(sphinx, babble):
    encoder = phones.Phones()
    rows = encoder.features(babble)
    assert rows.shape == (166, 40)
    assert (rows.sum(axis=1) == 1).all()
    stream = encoder.stream()
    pieces = [stream.push(piece) for piece in np.array_split(babble, 7)]
    assert np.array_equal(np.concatenate([*pieces, stream.finish()]), rows)
