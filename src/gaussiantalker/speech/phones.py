"""Which phone is spoken when, by PocketSphinx's phone recogniser and the US English model inside its package.

Needs the extra `phones`. Phones of other languages come out as the nearest English ones, which is enough to tell open
from shut.
"""

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speech.blocks import BlockEncoder, Blocks
from gaussiantalker.speech.samples import checked
from gaussiantalker.speech.silence import voiced
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

if TYPE_CHECKING:
    from pocketsphinx import Decoder

SILENCE = "SIL"
VISEMES = MappingProxyType(
    {
        "shut": ("M", "B", "P"),
        "lip to teeth": ("F", "V"),
        "tongue to teeth": ("TH", "DH"),
        "teeth": ("S", "Z", "SH", "ZH", "CH", "JH"),
        "tongue": ("T", "D", "N", "L", "K", "G", "NG", "HH", "Y"),
        "round": ("W", "R", "ER", "UW", "UH", "OY", "OW"),
        "wide": ("IY", "IH", "EH", "EY"),
        "open": ("AA", "AE", "AH", "AO", "AW", "AY"),
        "rest": (SILENCE,),
    }
)
"""What the mouth does, and the phones (ARPAbet) that make it do so."""

PHONES = tuple(phone for phones in VISEMES.values() for phone in phones)
VISEME_OF = MappingProxyType({phone: viseme for viseme, phones in VISEMES.items() for phone in phones})
_LONGEST = 20 * FPS  # frames decoded at once: the decoder's time and memory grow with the utterance
_CEPSTRAL_MEAN = "40,3,-1,0,0,0,0,0,0,0,0,0,0"  # the model's own, set anew for each piece
_HISS = 1e-4  # added noise, -80 dB: in digital silence the decoder would hear an s
_DECODER_RATE = 100  # frames a second


class Phone(NamedTuple):
    start: float  # seconds
    end: float
    name: str  # ARPAbet, or SIL


def recognise(audio: np.ndarray, progress: Progress = SILENT) -> list[Phone]:
    """The phones of 16 kHz sound [S], without a gap from 0 to its end.

    Raises GaussianTalkerError when PocketSphinx is not installed.
    """
    decoder, audio = _decoder(), checked(audio)
    pieces = _pieces(voiced(audio))
    progress.stage("phones", len(pieces))
    phones: list[Phone] = []
    for done, (first, stop) in enumerate(pieces, 1):
        piece = audio[first * SAMPLES_PER_FRAME : stop * SAMPLES_PER_FRAME]
        end = first / FPS + len(piece) / SAMPLE_RATE
        heard = [(first / FPS + start / _DECODER_RATE, name) for start, name in _decode(decoder, piece)]
        edges = [first / FPS, *(start for start, _ in heard[1:]), end]
        names = [name for _, name in heard] or [SILENCE]
        phones += map(Phone, edges[:-1], edges[1:], names)
        progress.update(done)
    return phones


class Phones(BlockEncoder):
    """The phone at each row as one of 40 channels: features that any voice gives alike."""

    name = "phones"
    channels = len(PHONES)
    blocks = Blocks(left=50, hop=20, right=10)

    def __init__(self) -> None:
        self._decoder = _decoder()

    def encode(self, blocks: np.ndarray) -> np.ndarray:
        out = np.zeros((len(blocks), self.blocks.hop, self.channels), np.float32)
        wanted = (self.blocks.left + np.arange(self.blocks.hop)) * 2  # rows of 20 ms in decoder frames of 10 ms
        for rows, block in zip(out, blocks, strict=True):
            heard = _decode(self._decoder, block) or [(0, SILENCE)]
            at = np.searchsorted([start for start, _ in heard], wanted, side="right") - 1
            rows[np.arange(len(rows)), [PHONES.index(heard[max(i, 0)][1]) for i in at]] = 1
        return out


def _decoder() -> "Decoder":
    try:
        from pocketsphinx import Decoder, get_model_path
    except ImportError as error:
        raise GaussianTalkerError("Phones need PocketSphinx: pip install 'gaussiantalker[phones]'.") from error
    language = get_model_path("en-us/en-us-phone.lm.bin")
    beams = {"lw": 2.0, "beam": 1e-20, "pbeam": 1e-20}  # the settings its documentation gives for phones
    model = get_model_path("en-us/en-us")
    return Decoder(hmm=model, allphone=language, lm=None, dict=None, loglevel="FATAL", **beams)


def _decode(decoder: "Decoder", samples: np.ndarray) -> list[tuple[int, str]]:
    """First decoder frame and name of each phone; fillers (breath, noise) are silence."""
    decoder.set_cmn(_CEPSTRAL_MEAN)
    decoder.start_utt()
    hiss = np.random.default_rng(0).standard_normal(len(samples)) * _HISS
    decoder.process_raw(((samples + hiss).clip(-1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    heard = decoder.seg() or []
    return [(part.start_frame, part.word if part.word in VISEME_OF else SILENCE) for part in heard]


def _pieces(speaking: np.ndarray) -> list[tuple[int, int]]:
    """Frames [first, stop) of the pieces to decode: cut in the last silence before they get too long."""
    pieces, first = [], 0
    while len(speaking) - first > _LONGEST:
        silent = np.flatnonzero(~speaking[first + _LONGEST // 2 : first + _LONGEST])
        stop = first + _LONGEST // 2 + int(silent[-1]) if len(silent) else first + _LONGEST
        pieces.append((first, stop))
        first = stop
    return [*pieces, (first, len(speaking))] if first < len(speaking) else pieces
