"""The verb `push`."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from gaussiantalker.cli.options import Folder, Force
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Push:
    """Upload an avatar to the Hugging Face Hub, where `owner/name` then stands for its folder.

    The hub asks who you are: set HF_TOKEN, or run `hf auth login` once.
    """

    avatar: Folder
    """A folder written by `gaussiantalker train`."""
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OWNER/NAME")]
    """Where to; made where there is no such place yet."""
    public: Force = False
    """For everybody to see, not for its owner alone: only with the consent of the person it shows."""

    when_stopped = "Stopped; run the same command again to push the rest."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.export.hub import push

        return f"Pushed: {push(self.avatar, self.name, public=self.public, progress=progress)}"
