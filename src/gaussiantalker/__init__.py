"""GaussianTalker: a portrait video goes in once, an avatar comes out, and the avatar speaks any audio.

    import gaussiantalker as gt
    avatar = gt.Avatar.load("demo/avatar")
    avatar.speak("hello.wav").save("hello.mp4")

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module

from gaussiantalker.errors import GaussianTalkerError

__version__ = "0.1.0"
_HOMES = {
    "Avatar": "gaussiantalker.speaking",
    "Capture": "gaussiantalker.capture",
    "evaluate": "gaussiantalker.evaluation",
    "keep_memory": "gaussiantalker.memory",
    "train": "gaussiantalker.training",
}

__all__ = ["Avatar", "Capture", "GaussianTalkerError", "evaluate", "keep_memory", "train"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'gaussiantalker' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
