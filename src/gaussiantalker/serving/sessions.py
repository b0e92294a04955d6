"""All sessions of a server."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.call import Call
from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.metrics import Metrics
from gaussiantalker.serving.problems import Problem
from gaussiantalker.serving.session import PICTURES, Session, Shows
from gaussiantalker.speaking import Avatar, Studio
from gaussiantalker.voice import Voice


class Sessions:
    """Begins and ends sessions. Avatars are shared by all and never written to."""

    def __init__(
        self,
        avatars: Mapping[str, Avatar],
        limits: Limits,
        backgrounds: Mapping[str, Path] | None = None,
        voice: Voice | None = None,
    ) -> None:
        self.avatars, self.limits, self.counts, self._voice = avatars, limits, Metrics(), voice
        self.backgrounds = backgrounds or {}
        self._voices = ThreadPoolExecutor(limits.sessions, thread_name_prefix="voice")
        self._studio = Studio()
        self._sessions: dict[str, Session] = {}
        self._calls: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def full(self) -> bool:
        """Whether no more sessions with pictures can begin."""
        return self._showing(PICTURES) >= self.limits.sessions

    def begin(self, name: str | None, shows: Shows = PICTURES) -> Session:
        """A session with this avatar, or with the first. Raises Problem for an unknown one, one that cannot be
        shown so, or too many."""
        name = next(iter(self.avatars)) if name is None else name
        if name not in self.avatars:
            raise Problem(404, f"There is no avatar of this name; there are {', '.join(self.avatars)}.")
        most = self.limits.sessions if shows == PICTURES else self.limits.puppets
        if self._showing(shows) >= most:
            raise Problem(503, f"All {most} sessions are taken; try again later.", {"Retry-After": "10"})
        try:
            how = self.backgrounds, shows, self._voice, self._voices
            session = Session(name, self.avatars[name], self.limits, self._studio, *how)
        except GaussianTalkerError as error:
            raise Problem(422, str(error)) from None
        self._sessions[session.id] = session
        self.counts.begun += 1
        return session

    def _showing(self, shows: Shows) -> int:
        return sum(session.shows == shows for session in self._sessions.values())

    def find(self, id: str) -> Session:
        """The session. Raises Problem when there is none (any more)."""
        if id not in self._sessions:
            raise Problem(404, "There is no such session; it may have ended.")
        return self._sessions[id]

    async def call(self, session: Session, offer: str) -> tuple[Call, str]:
        """A viewer over WebRTC, and the answer to its offer. Raises Problem when it cannot be answered."""
        call = Call(session)
        self._calls[call.id] = call
        call.ended.add_done_callback(lambda _: self._calls.pop(call.id, None))
        return call, await call.answer(offer)

    def find_call(self, id: str) -> Call:
        if id not in self._calls:
            raise Problem(404, "There is no such connection; it may have ended.")
        return self._calls[id]

    def end(self, session: Session, why: str) -> None:
        if self._sessions.pop(session.id, None):
            session.close(why)
            self.counts.add(session.stream.gauges)

    async def end_all(self) -> None:
        """Returns when every connection is closed."""
        for session in list(self._sessions.values()):
            self.end(session, "The server is shutting down.")
        await asyncio.gather(*(call.ended for call in list(self._calls.values())))
        self._studio.close()
        self._voices.shutdown(wait=False, cancel_futures=True)

    async def keep_house(self) -> None:
        """Ends what is left behind, for as long as it is awaited."""
        while True:
            await asyncio.sleep(self.limits.sweep_seconds)
            self._sweep()

    def _sweep(self) -> None:
        for session in list(self._sessions.values()):
            if why := session.expired:
                self.end(session, why)

    def metrics(self) -> str:
        """In Prometheus' text format."""
        return self.counts.text([session.stream.gauges for session in self._sessions.values()])
