"""Speech: audio to features at 50 Hz, the windows a talker listens to, and where there is silence."""

from collections.abc import Callable
from functools import partial

from gaussiantalker.errors import chosen
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


def _whisper(progress: Progress, *, name: str = "whisper", layers: tuple[int, ...] = (2,)) -> Encoder:
    from gaussiantalker import pretrained
    from gaussiantalker.speech.whisper import Whisper, WhisperNet

    return Whisper(WhisperNet.read(pretrained.path("whisper-tiny-en", progress)), name=name, layers=layers)


def _multilingual(progress: Progress) -> Encoder:
    from gaussiantalker import pretrained
    from gaussiantalker.speech.whisper import Whisper, WhisperNet

    return Whisper(WhisperNet.read_ggml(pretrained.path("whisper-tiny", progress)), name="whisper-multilingual")


def _logmel(progress: Progress) -> Encoder:
    from gaussiantalker.speech.logmel import LogMel

    return LogMel()


def _phones(progress: Progress) -> Encoder:
    from gaussiantalker.speech.phones import Phones

    return Phones()


def _published(progress: Progress, *, name: str) -> Encoder:
    from gaussiantalker.speech.hubert import SelfSupervised

    return SelfSupervised.read(name)


ENCODERS: dict[str, Callable[[Progress], Encoder]] = {
    "whisper": _whisper,
    "whisper-early": partial(_whisper, name="whisper-early", layers=(1, 2)),
    "logmel": _logmel,
    "phones": _phones,
    "whisper-multilingual": _multilingual,
    "hubert": partial(_published, name="hubert"),
    "wav2vec2": partial(_published, name="wav2vec2"),
}
"""Encoders by name. One of your own is added here under its `name` before an avatar is trained or loaded with it."""


def load(name: str = "whisper", progress: Progress = SILENT) -> Encoder:
    """The encoder of this name; pretrained weights are fetched at first use.

    Raises GaussianTalkerError for an unknown name, and when the weights or the package of an extra cannot be had.
    """
    return chosen("speech encoder", name, ENCODERS)(progress)
