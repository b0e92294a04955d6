"""The verb `serve`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gaussiantalker.cli.options import Device
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Serve:
    """Let avatars talk live: a page to speak with them, and WebRTC, HTTP and a socket for programs.

    Open the address it shows in a browser.
    """

    avatars: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folders written by `gaussiantalker train`."""
    host: str = "127.0.0.1"
    """Where to listen; anything but this machine alone needs a token."""
    port: int = 8080
    """The port to listen on."""
    token: Annotated[str | None, tyro.conf.arg(metavar="SECRET", help_behavior_hint="")] = None
    """What clients must know."""
    device: Device = "auto"

    @property
    def when_stopped(self) -> str:
        return "Stopped; all sessions have ended."

    def run(self, progress: Progress) -> str:
        try:
            from gaussiantalker.serving.server import serve
        except ModuleNotFoundError as missing:
            raise GaussianTalkerError(
                f"Serving needs {missing.name}, which is not installed: run pip install 'gaussiantalker[serve]'."
            ) from None
        serve(self.avatars, self.host, self.port, self.token, self.device, progress)
        return self.when_stopped
