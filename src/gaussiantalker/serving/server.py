"""The server as a program: which avatars, where, and for whom."""

import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress
from gaussiantalker.serving import log
from gaussiantalker.serving.access import check_token, is_loopback
from gaussiantalker.serving.app import build
from gaussiantalker.serving.avatars import load
from gaussiantalker.serving.connections import configuration
from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.sessions import Sessions
from gaussiantalker.speaking import Background
from gaussiantalker.voice import find_voice


def serve(
    folders: Sequence[Path],
    host: str,
    port: int,
    token: str | None,
    device: str,
    progress: Progress,
    limits: Limits | None = None,
    exact: bool = False,
    backgrounds: Sequence[Path] = (),
    voice: str | None = None,
) -> None:
    """Serves avatars until it is interrupted; with a `voice` (see `voice.find_voice`) they read texts.

    Raises GaussianTalkerError for folders that are no avatars, for backgrounds that are none, for a place others can
    reach but no token, and for a token that is none.
    """
    if token is not None:
        check_token(token)
    elif not is_loopback(host):
        raise GaussianTalkerError(f"Others can reach {host}: choose a secret and give it as --token-file as well.")
    with _bound(host, port) as place:
        rooms = _named(backgrounds)
        avatars, limits = load(folders, device, progress, exact), limits or Limits()
        app = build(avatars, token, limits, rooms, None if voice is None else find_voice(voice, progress))
        log.set_up()
        name = f"[{host}]" if ":" in host else host
        progress.note(f"{', '.join(avatars)} at http://{name}:{port}/ (Ctrl-C ends it)")
        _Server(configuration(app, limits), app.state.sessions).run(sockets=[place])


class _Server(uvicorn.Server):
    """Ends sessions first when it stops: streams that go on and on would keep it from stopping."""

    def __init__(self, config: uvicorn.Config, sessions: Sessions) -> None:
        super().__init__(config)
        self._sessions = sessions

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._sessions.end_all()
        await super().shutdown(sockets)


def _bound(host: str, port: int) -> socket.socket:
    """The place to listen at. Raises GaussianTalkerError when it cannot be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise GaussianTalkerError(
            f"Port {port} of {host} cannot be used ({error}): choose another with --port."
        ) from None


def _named(backgrounds: Sequence[Path]) -> dict[str, Path]:
    """Pictures and films by their names without ending. Raises GaussianTalkerError for others, or two of a name."""
    rooms: dict[str, Path] = {}
    for path in backgrounds:
        if path.stem in rooms:
            raise GaussianTalkerError(f"Two backgrounds are called {path.stem}; rename one.")
        if not path.is_file():
            raise GaussianTalkerError(f"The background {path} does not exist; check its name.")
        Background.of(path)
        rooms[path.stem] = path
    return rooms
