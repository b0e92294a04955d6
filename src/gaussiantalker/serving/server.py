"""The server as a program: which avatars, where, and for whom."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import uvicorn

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress
from gaussiantalker.serving.app import build
from gaussiantalker.serving.door import is_loopback
from gaussiantalker.serving.limits import Limits
from gaussiantalker.speaking import Avatar, FrameStream
from gaussiantalker.timing import SAMPLE_RATE

_GRACE = 3  # seconds that streams have to end when the server stops


def serve(folders: Sequence[Path], host: str, port: int, token: str | None, progress: Progress) -> None:
    """Serves avatars until it is interrupted.

    Raises GaussianTalkerError for folders that are no avatars, and for a place others can reach but no token.
    """
    if not is_loopback(host) and not token:
        raise GaussianTalkerError(f"Others can reach {host}: choose a secret and give it as --token as well.")
    avatars = load(folders, progress)
    limits = Limits()
    app = build(avatars, token, limits)
    progress.note(f"{', '.join(avatars)} at http://{host}:{port}/ (Ctrl-C ends it)")
    try:
        uvicorn.run(
            app,
            host=host,
            port=port,
            log_level="warning",
            ws="websockets-sansio",
            ws_max_size=limits.message_bytes,
            timeout_graceful_shutdown=_GRACE,
            server_header=False,
        )
    except SystemExit:
        raise GaussianTalkerError(f"Port {port} of {host} cannot be had; give another with --port.") from None


def load(folders: Sequence[Path], progress: Progress) -> dict[str, Avatar]:
    """Avatars by the names of their folders, each having spoken a little, so that no client waits for a first time."""
    avatars: dict[str, Avatar] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in avatars:
            raise GaussianTalkerError(f"Two avatars are called {name}; rename one's folder.")
        avatars[name] = Avatar.load(folder, progress)
        FrameStream(avatars[name]).push(np.zeros(SAMPLE_RATE, np.float32))
    return avatars
