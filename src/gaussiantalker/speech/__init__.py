"""Speech: audio to features at 50 Hz, the windows a talker listens to, and where there is silence."""

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speech.encoder import Encoder, FeatureStream
from gaussiantalker.speech.projection import Projection
from gaussiantalker.speech.silence import Gate, voiced
from gaussiantalker.speech.windows import contexts, contexts_of, windows

ENCODERS = ("whisper", "whisper-early", "logmel", "phones", "whisper-multilingual", "hubert", "wav2vec2")

__all__ = [
    "ENCODERS",
    "Encoder",
    "FeatureStream",
    "Gate",
    "Projection",
    "contexts",
    "contexts_of",
    "load",
    "voiced",
    "windows",
]


def load(name: str = "whisper", progress: Progress = SILENT) -> Encoder:
    """The encoder of this name; pretrained weights are fetched at first use.

    Raises GaussianTalkerError for an unknown name, and when the weights or the package of an extra cannot be had.
    """
    if name == "logmel":
        from gaussiantalker.speech.logmel import LogMel

        return LogMel()
    if name == "whisper":
        from gaussiantalker import pretrained
        from gaussiantalker.speech.whisper import Whisper

        return Whisper.read(pretrained.path("whisper-tiny-en", progress))
    if name == "whisper-early":
        from gaussiantalker import pretrained
        from gaussiantalker.speech.whisper import Whisper

        return Whisper.read_early(pretrained.path("whisper-tiny-en", progress))
    if name == "whisper-multilingual":
        from gaussiantalker import pretrained
        from gaussiantalker.speech.whisper import Whisper

        return Whisper.read_multilingual(pretrained.path("whisper-tiny", progress))
    if name == "phones":
        from gaussiantalker.speech.phones import Phones

        return Phones()
    if name in ("hubert", "wav2vec2"):
        from gaussiantalker.speech.hubert import SelfSupervised

        return SelfSupervised.read(name)
    raise GaussianTalkerError(f"There is no speech encoder '{name}'; choose one of {', '.join(ENCODERS)}.")
