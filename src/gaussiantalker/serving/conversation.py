"""What is said over a session's socket: sound and events in, events out."""

import asyncio
from typing import Annotated, Literal

import numpy as np
from fastapi import WebSocket
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.session import Event, Session
from gaussiantalker.speaking.motion import ARTICULATION_LIMIT

_TOO_BIG, _POLICY, _GOING_AWAY = 1009, 1008, 1001  # RFC 6455, section 7.4.1
_NAME = 200  # letters of a background's name
_REASON = 123  # bytes that the reason for closing may have
_LAST_WORDS = 1.0  # seconds to tell a client that its session has ended
Angle = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _SegmentEnd(_Message):
    """What was sent is a whole utterance."""

    type: Literal["segment.end"]


class _Interrupt(_Message):
    """Fall silent."""

    type: Literal["interrupt"]


class Say(_Message):
    """A text to say with the server's voice."""

    type: Literal["say"]
    text: Annotated[str, Field(min_length=1)]


class _Update(_Message):
    """The rate of the sound to come in Hz, and the head's further angles in degrees; blink 0 to 1, null its own; how
    far the mouth moves, against the avatar's own; scores of a mouth to show by their names, null what is heard; what is
    behind the avatar, a colour or one of the server's, null its own."""

    type: Literal["session.update"]
    sample_rate: Annotated[int, Field(ge=8_000, le=48_000)] | None = None
    yaw: Angle = 0.0
    pitch: Angle = 0.0
    roll: Angle = 0.0
    blink: Annotated[float, Field(ge=0, le=1)] | None = None
    articulation: Annotated[float, Field(ge=0, le=ARTICULATION_LIMIT)] = 1.0
    mouth: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)] | None = None
    background: Annotated[str, Field(max_length=_NAME)] | None = None


_EVENTS = TypeAdapter(Annotated[_SegmentEnd | _Interrupt | Say | _Update, Field(discriminator="type")])


class _Mistake(Exception):
    """Something in a message that is not as agreed: a title, and a sentence."""


class Conversation:
    """One socket of a session, from when it was accepted. What it sends goes through one queue, in order."""

    def __init__(self, session: Session, socket: WebSocket) -> None:
        self._session, self._socket = session, socket
        self._mistakes, self._refusing = 0, False

    async def run(self) -> None:
        """Until either side ends it, or the session ends; a client that reads nothing then holds nothing up."""
        with self._session.listen() as events:
            telling = asyncio.create_task(self._tell(events))
            hearing = asyncio.create_task(self._hear(events))
            closed = asyncio.create_task(self._session.closed.wait())
            tasks = (telling, hearing, closed)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if closed.done():
                    await asyncio.wait([telling], timeout=_LAST_WORDS)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, events: asyncio.Queue[Event]) -> None:
        """Sends events; one of the type `closed` closes the socket instead."""
        while (event := await events.get())["type"] != "closed":
            await self._socket.send_json(event)
        await self._socket.close(event.get("code", _GOING_AWAY), event["detail"][:_REASON])

    async def _hear(self, events: asyncio.Queue[Event]) -> None:
        """Takes messages and does what they say; tells of those that are not as agreed, up to a limit."""
        limits = self._session.limits
        while (message := await self._socket.receive())["type"] == "websocket.receive":
            text, pcm = message.get("text") or "", message.get("bytes")
            try:
                if pcm is not None:
                    self._take(pcm)
                elif len(text) > limits.text_bytes:
                    await self._end(events, _TOO_BIG, f"An event may have {limits.text_bytes} characters at most.")
                else:
                    await self._obey(text)
            except _Mistake as mistake:
                title, detail = mistake.args
                _offer(events, {"type": "error", "title": title, "detail": detail})
            if self._mistakes > limits.mistakes:
                await self._end(events, _POLICY, "Too many messages could not be understood.")

    async def _end(self, events: asyncio.Queue[Event], code: int, why: str) -> None:
        """Closes the socket, after what is in the queue, and takes no more."""
        await events.put({"type": "closed", "code": code, "detail": why})
        await asyncio.Event().wait()

    def _take(self, pcm: bytes) -> None:
        """Sound as PCM16LE. Raises _Mistake for half a sample, and once when sound begins to be refused."""
        if len(pcm) % 2:
            self._mistakes += 1
            raise _Mistake("Not PCM16", "A message of sound must hold whole 16-bit samples.")
        taken = not self._session.reading and self._session.hear(np.frombuffer(pcm, "<i2"))
        before, self._refusing = self._refusing, not taken
        if self._refusing and not before and self._session.reading:
            raise _Mistake("A text is being read", "Sound was refused: wait until the text is read, or interrupt.")
        if self._refusing and not before:
            limits = self._session.limits
            most = f"{limits.buffered_seconds:g} s of it, in {limits.segments} segments,"
            raise _Mistake("Too much sound", f"Sound was refused: {most} may wait to be spoken.")

    async def _obey(self, text: str) -> None:
        """An event as JSON. Raises _Mistake when it is none that is known."""
        try:
            event = _EVENTS.validate_json(text)
        except ValidationError as error:
            self._mistakes += 1
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"][1:])
            raise _Mistake("Not an event", f"{where}: {fault['msg']}." if where else f"{fault['msg']}.") from None
        match event:
            case _SegmentEnd():
                self._session.end_segment()
            case _Interrupt():
                self._session.interrupt()
            case Say():
                self._read(event.text)
            case _Update():
                self._steer(event)
                if "background" in event.model_fields_set:
                    await self._stand_before(event.background)

    def _steer(self, event: _Update) -> None:
        try:
            self._session.update(**event.model_dump(exclude_unset=True, exclude={"type", "background"}))
        except GaussianTalkerError as error:
            self._mistakes += 1
            raise _Mistake("No such mouth", str(error)) from None

    async def _stand_before(self, background: str | None) -> None:
        try:
            await asyncio.to_thread(self._session.stand_before, background)
        except GaussianTalkerError as error:
            self._mistakes += 1
            raise _Mistake("No such background", str(error)) from None

    def _read(self, text: str) -> None:
        """A text. Raises _Mistake where the server has no voice, or it is too much."""
        limits = self._session.limits
        if not self._session.reads:
            raise _Mistake("No voice", "This server reads no texts: it was started without --voice.")
        if len(text) > limits.characters:
            raise _Mistake("Too much text", f"A text may have {limits.characters:,} characters at most.")
        if not self._session.read(text):
            raise _Mistake("Too much text", f"A text was refused: {limits.texts} of them may wait to be read.")


def _offer(events: asyncio.Queue[Event], event: Event) -> None:
    """Adds an event unless the client has left too many unread."""
    if not events.full():
        events.put_nowait(event)
