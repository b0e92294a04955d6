"""A worker of LiveKit's agent dispatch: takes as many rooms as the machine holds, and shows an avatar in each."""

# pyright: reportAttributeAccessIssue=false
# Where LiveKit is not installed, its name finds the module beside this.

import asyncio
import os
import signal
from collections.abc import Mapping

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.adapters.livekit import AvatarVideoGenerator
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.studio import Studio

# After the adapter, which says what to install where these are missing.
from livekit.agents import AgentServer, AutoSubscribe, JobContext, JobExecutorType, JobRequest  # isort: skip
from livekit.agents.voice.avatar import AvatarRunner, DataStreamAudioReceiver  # isort: skip

IDENTITY = "avatar"
"""Of the avatar in its room: what an agent gives to `DataStreamAudioOutput` as `destination_identity`."""
_SERVER = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")


def check_server() -> None:
    """Raises GaussianTalkerError where a variable that LiveKit's own clients read is missing."""
    if missing := [variable for variable in _SERVER if not os.environ.get(variable)]:
        raise GaussianTalkerError(f"LiveKit's server is named by {', '.join(_SERVER)}: set {', '.join(missing)}.")


class AvatarWorker:
    """Jobs share the avatars in memory and the threads that make pictures. A job's metadata is an avatar's name, or
    nothing for the first. The load it reports is the share of its sessions that are taken."""

    def __init__(self, avatars: Mapping[str, Avatar], sessions: int, name: str) -> None:
        self._avatars, self._sessions, self._studio = avatars, sessions, Studio()
        self._promised = 0  # jobs that are being accepted
        self.server = AgentServer(
            job_executor_type=JobExecutorType.THREAD,
            num_idle_processes=sessions,
            load_fnc=lambda server: len(server.active_jobs) / sessions,
            load_threshold=1 - 0.5 / sessions,  # between the last place taken and the last but one
            host="127.0.0.1",
            port=0,
        )
        self.server.rtc_session(self._perform, agent_name=name, on_request=self._answer)

    async def run(self) -> None:
        """Takes jobs until SIGTERM; then takes no more, and returns when those it has are done."""
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        running, waiting = asyncio.create_task(self.server.run()), asyncio.create_task(told.wait())
        try:
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if told.is_set():
                await self.server.drain(None)
        finally:
            waiting.cancel()
            await self.server.aclose()
            self._studio.close()
        await running

    async def _answer(self, request: JobRequest) -> None:
        if request.job.metadata and request.job.metadata not in self._avatars:
            return await request.reject()  # nobody else here knows it either
        if len(self.server.active_jobs) + self._promised >= self._sessions:
            return await request.reject(terminate=False)
        self._promised += 1
        try:
            await request.accept(identity=IDENTITY)
        finally:
            self._promised -= 1

    async def _perform(self, context: JobContext) -> None:
        """Shows the avatar in the job's room, saying what the first agent there sends to it."""
        name = context.job.metadata or next(iter(self._avatars))
        generator = AvatarVideoGenerator(self._avatars[name], studio=self._studio)
        await context.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE)
        heard = DataStreamAudioReceiver(context.room)
        runner = AvatarRunner(context.room, audio_recv=heard, video_gen=generator, options=generator.options)

        async def leave() -> None:
            await runner.aclose()
            await generator.aclose()

        context.add_shutdown_callback(leave)
        await runner.start()
