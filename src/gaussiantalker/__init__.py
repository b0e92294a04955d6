"""GaussianTalker: a portrait video goes in once, an avatar comes out, and the avatar speaks any audio.

    import gaussiantalker as gt
    avatar = gt.Avatar.load("demo/avatar")
    avatar.speak("hello.wav").save("hello.mp4")

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gaussiantalker.errors import GaussianTalkerError

if TYPE_CHECKING:  # what an editor completes
    from gaussiantalker.capture import Capture, capture
    from gaussiantalker.evaluation import evaluate
    from gaussiantalker.hardware import keep_memory
    from gaussiantalker.speaking import Avatar
    from gaussiantalker.training import train

__version__ = "0.1.0"
_HOMES = {
    "Avatar": "gaussiantalker.speaking",
    "Capture": "gaussiantalker.capture",
    "capture": "gaussiantalker.capture",
    "evaluate": "gaussiantalker.evaluation",
    "keep_memory": "gaussiantalker.hardware",
    "train": "gaussiantalker.training",
}

__all__ = ["Avatar", "Capture", "GaussianTalkerError", "capture", "evaluate", "keep_memory", "train"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'gaussiantalker' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
