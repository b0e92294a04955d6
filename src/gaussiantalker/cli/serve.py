"""The verb `serve`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gaussiantalker.cli.options import Device, Exact, Folders, OptionalFile, OptionalName
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress

_VARIABLE = "GAUSSIANTALKER_TOKEN"
_CANDIDATES = 8


@dataclass(frozen=True)
class Serve:
    """Let avatars talk live: a page to speak with them, and WebRTC, HTTP and a socket for programs.

    Open the address it shows in a browser.
    """

    avatars: Folders
    """Folders written by `gaussiantalker train`."""
    host: str = "127.0.0.1"
    """Where to listen; anything but this machine alone needs a token."""
    port: int = 8080
    """The port to listen on."""
    token: Annotated[str | None, tyro.conf.arg(metavar="SECRET", help_behavior_hint="")] = None
    """What clients must know. The list of processes shows it to others on this machine: better is a file, or the
    variable GAUSSIANTALKER_TOKEN."""
    token_file: OptionalFile = None
    """A file that holds the token."""
    backgrounds: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE")] = ()
    """Pictures and videos that avatars may stand before, by their names."""
    voice: OptionalName = None
    """Who reads texts that are typed: `heart`, `bella`, `michael`, `fenrir`, or `server:VOICE`, as for `say`."""
    reach_out: bool = False
    """Also write first to addresses that viewers name, eight each at most: for a server they cannot reach first."""
    exact: Exact = False
    device: Device = "auto"

    @property
    def _secret(self) -> str | None:
        """The token, from where it is given first. Raises GaussianTalkerError for a file that cannot be read."""
        if self.token is not None:
            return self.token
        if self.token_file is None:
            return os.environ.get(_VARIABLE)
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise GaussianTalkerError(
                f"The token cannot be read from {self.token_file} ({error}): check the file."
            ) from None

    when_stopped = "Stopped; all sessions have ended."

    def run(self, progress: Progress) -> str:
        try:
            from gaussiantalker.serving.limits import Limits
            from gaussiantalker.serving.server import serve
        except ModuleNotFoundError as missing:
            raise GaussianTalkerError(
                f"Serving needs {missing.name}, which is not installed: run pip install 'gaussiantalker[serve]'."
            ) from None
        limits = Limits(candidates=_CANDIDATES if self.reach_out else 0)
        where = self.host, self.port, self._secret, self.device
        how = {"exact": self.exact, "backgrounds": self.backgrounds, "voice": self.voice}
        serve(self.avatars, *where, progress, limits, **how)
        return self.when_stopped
