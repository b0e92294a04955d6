"""Speech: audio to features at 50 Hz, the windows a talker listens to, and where there is silence."""

from collections.abc import Callable

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speech.encoder import SAMPLES_PER_ROW, Encoder, FeatureStream
from gaussiantalker.speech.projection import Projection
from gaussiantalker.speech.silence import Gate, voiced
from gaussiantalker.speech.windows import contexts, contexts_of, windows

__all__ = [
    "ENCODERS",
    "SAMPLES_PER_ROW",
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


def _whisper(progress: Progress) -> Encoder:
    from gaussiantalker import pretrained
    from gaussiantalker.speech.whisper import Whisper

    return Whisper.read(pretrained.path("whisper-tiny-en", progress))


def _whisper_early(progress: Progress) -> Encoder:
    from gaussiantalker import pretrained
    from gaussiantalker.speech.whisper import Whisper

    return Whisper.read_early(pretrained.path("whisper-tiny-en", progress))


def _whisper_multilingual(progress: Progress) -> Encoder:
    from gaussiantalker import pretrained
    from gaussiantalker.speech.whisper import Whisper

    return Whisper.read_multilingual(pretrained.path("whisper-tiny", progress))


def _logmel(progress: Progress) -> Encoder:
    from gaussiantalker.speech.logmel import LogMel

    return LogMel()


def _phones(progress: Progress) -> Encoder:
    from gaussiantalker.speech.phones import Phones

    return Phones()


def _hubert(progress: Progress) -> Encoder:
    from gaussiantalker.speech.hubert import SelfSupervised

    return SelfSupervised.read("hubert")


def _wav2vec2(progress: Progress) -> Encoder:
    from gaussiantalker.speech.hubert import SelfSupervised

    return SelfSupervised.read("wav2vec2")


ENCODERS: dict[str, Callable[[Progress], Encoder]] = {
    "whisper": _whisper,
    "whisper-early": _whisper_early,
    "logmel": _logmel,
    "phones": _phones,
    "whisper-multilingual": _whisper_multilingual,
    "hubert": _hubert,
    "wav2vec2": _wav2vec2,
}
"""Encoders by name. One of your own is added here under its `name` before an avatar is trained or loaded with it."""


def load(name: str = "whisper", progress: Progress = SILENT) -> Encoder:
    """The encoder of this name; pretrained weights are fetched at first use.

    Raises GaussianTalkerError for an unknown name, and when the weights or the package of an extra cannot be had.
    """
    if name not in ENCODERS:
        raise GaussianTalkerError(f"There is no speech encoder '{name}'; choose one of {', '.join(ENCODERS)}.")
    return ENCODERS[name](progress)
