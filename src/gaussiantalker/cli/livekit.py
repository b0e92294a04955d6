"""The verb `livekit`."""

import asyncio
from dataclasses import dataclass

from gaussiantalker.cli.options import Device, Exact, Folders
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.hardware import cores
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Livekit:
    """Take rooms from a LiveKit server by its agent dispatch, and show an avatar in each.

    LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name the server. SIGTERM lets it finish the rooms that it has.
    """

    avatars: Folders
    """Folders written by `gaussiantalker train`."""
    name: str = "gaussiantalker"
    """By which agents ask for it; their request's metadata may name one of the avatars."""
    sessions: int = max(1, cores() // 2)
    """How many rooms this machine holds at a time (default: half its cores)."""
    exact: Exact = False
    device: Device = "auto"

    when_stopped = "Stopped; all rooms have been left."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.serving import log
        from gaussiantalker.serving.adapters.livekit_worker import AvatarWorker, check_server
        from gaussiantalker.serving.avatars import load

        check_server()
        if self.sessions < 1:
            raise GaussianTalkerError("A worker needs one session at least: give a larger number as --sessions.")
        avatars = load(self.avatars, self.device, progress, self.exact)
        log.set_up()
        progress.note(f"{', '.join(avatars)} for {self.sessions} rooms at a time, as {self.name} (Ctrl-C ends it)")
        asyncio.run(AvatarWorker(avatars, self.sessions, self.name).run())
        return self.when_stopped
