"""Avatars of a model hub: `owner/name` is a folder of Hugging Face's, or of what HF_ENDPOINT names."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress

FILES = (
    "avatar.json",
    "model.safetensors",
    "blendshapes.safetensors",
    "torso.safetensors",
    "motion.npz",
    "background.png",
    "plates.mp4",
    "preview.mp4",
)
_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def local_folder(path: str | Path, progress: Progress) -> Path:
    """An avatar's folder as it is; or, where `path` is `owner/name` and there is no folder `owner`, the hub's copy.

    Raises GaussianTalkerError where the hub has none, or huggingface_hub is not installed.
    """
    name, path = str(path), Path(path)
    if not is_name(name) or path.exists() or path.parent.exists():
        return path
    progress.note(f"There is no folder {path.parent} here: asking the hub for {name}.")
    with refused(f"There is neither a folder {name} here nor such an avatar on the hub"):
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=list(FILES)))


def is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name))


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Whatever the hub says, and that the library for it is missing, as one sentence that begins with `what`."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if missing.name != "huggingface_hub":
            raise
        raise GaussianTalkerError(
            f"{what}: to ask the hub, install its library, pip install 'gaussiantalker[hub]'."
        ) from None
    except (OSError, ValueError, RuntimeError) as error:  # its own are of these kinds
        said = " ".join(str(error).split("\n\nPlease")[0].split()) or type(error).__name__
        raise GaussianTalkerError(f"{what} ({said.rstrip('.')}).") from error
