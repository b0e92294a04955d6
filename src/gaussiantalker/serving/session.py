"""A session: one client's own live avatar, with those who watch it and those who talk to it."""

import asyncio
import logging
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.frame_queue import FrameQueue
from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.problems import Problem
from gaussiantalker.serving.reader import Reader
from gaussiantalker.speaking import Avatar, AvatarStream, AvFrame, Background, CoefficientAvatar, Studio
from gaussiantalker.speaking.background import TRANSPARENT
from gaussiantalker.speaking.gauges import percentiles
from gaussiantalker.speaking.mouths import held
from gaussiantalker.timing import FPS, SAMPLE_RATE
from gaussiantalker.voice import Voice

Event = dict[str, Any]
Shows = Literal["pictures", "coefficients"]
PICTURES, COEFFICIENTS = "pictures", "coefficients"
_UNREAD = 200  # events that wait for a slow client
_BACKLOG = 10 * FPS  # frames that wait for a slow viewer, who then loses its place
_LEVEL_EVERY = FPS // 5  # frames between reports of the buffer's level

_log = logging.getLogger(__name__)


class Session:
    """Lives on the event loop; the server's studio makes its pictures, or what a client draws them from.

    The avatar's time stands still while nobody watches, so what is pushed before a viewer has connected is not lost.
    """

    def __init__(
        self,
        name: str,
        avatar: Avatar,
        limits: Limits,
        studio: Studio,
        backgrounds: Mapping[str, Path] | None = None,
        shows: Shows = PICTURES,
        voice: Voice | None = None,
        voices: Executor | None = None,
    ) -> None:
        """Raises GaussianTalkerError for an avatar that cannot be shown so. With a voice, which speaks in a thread
        of `voices`, it reads texts too."""
        self.id = secrets.token_urlsafe(12)
        self.name, self.avatar, self.limits, self.backgrounds = name, avatar, limits, backgrounds or {}
        self.shows: Shows = shows
        self.stream = AvatarStream(avatar if shows == PICTURES else CoefficientAvatar(avatar), studio=studio)
        self._reader = Reader(voice, self.stream, voices, self._unread) if voice and voices else None
        self.sample_rate = SAMPLE_RATE
        self.closed = asyncio.Event()
        self._places = 0  # taken by viewers, connected or about to be
        self._viewers: set[FrameQueue] = set()
        self._listeners: set[asyncio.Queue[Event]] = set()
        self._watched = asyncio.Event()
        self._segment, self._spoken = None, 0  # the segment that is heard, and its frames so far
        self._shown = 0  # pictures since the last report
        self._last_word = self._last_company = monotonic()
        self._playing = asyncio.create_task(self._play(), name=f"session {self.id}")

    @property
    def expired(self) -> str | None:
        """Why the session should be put away, if it should."""
        if self.closed.is_set():
            return "It has ended."
        now = monotonic()
        if self._places or self._listeners:
            self._last_company = now
        if now - self._last_company > self.limits.abandoned_seconds:
            return "Nobody was connected any more."
        if now - self._last_word > self.limits.idle_seconds:
            return f"Nothing was said for {self.limits.idle_seconds / 60:.0f} minutes."
        return None

    @contextmanager
    def place(self, shows: Shows = PICTURES) -> Iterator[None]:
        """A viewer's place for as long as the block lasts. Raises Problem when none is left, or when the session shows
        something else."""
        if shows != self.shows:
            raise Problem(409, f'This session shows {self.shows}: begin one with "shows": "{shows}".')
        if self._places >= self.limits.viewers:
            raise Problem(429, f"A session has {self.limits.viewers} viewers at most.")
        self._places += 1
        self._last_word = monotonic()
        try:
            yield
        finally:
            self._places -= 1

    @contextmanager
    def watch(self) -> Iterator[FrameQueue]:
        """Frames from now on, for as long as the block lasts."""
        frames = FrameQueue(_BACKLOG)
        self._viewers.add(frames)
        self._watched.set()
        try:
            yield frames
        finally:
            self._viewers.discard(frames)
            if not self._viewers:
                self._watched.clear()

    @contextmanager
    def listen(self) -> Iterator["asyncio.Queue[Event]"]:
        """The session's events for as long as the block lasts. Raises Problem when too many listen."""
        if len(self._listeners) >= self.limits.sockets:
            raise Problem(429, f"A session has {self.limits.sockets} sockets at most.")
        events: asyncio.Queue[Event] = asyncio.Queue(_UNREAD)
        self._listeners.add(events)
        try:
            yield events
        finally:
            self._listeners.discard(events)

    def encoded(self, seconds: float) -> None:
        """Told by viewers' encoders how long a picture took."""
        self.stream.gauges.seconds["encoding"].append(seconds)

    def hear(self, pcm: np.ndarray) -> bool:
        """Sound int16 [S] to say, at the agreed rate; False when so much waits already that it is refused."""
        self._last_word = monotonic()
        seconds = self.stream.buffered + len(pcm) / self.sample_rate
        if seconds > self.limits.buffered_seconds or self.stream.waiting > self.limits.segments:
            return False
        self.stream.push_audio(pcm, self.sample_rate)
        return True

    @property
    def reads(self) -> bool:
        """Whether it reads texts."""
        return self._reader is not None

    @property
    def reading(self) -> bool:
        """Whether a text is being made into speech."""
        return self._reader is not None and self._reader.waiting > 0

    def read(self, text: str) -> bool:
        """A text to say, after all that waits; False when so many wait already that it is refused. Only where it
        `reads`."""
        assert self._reader is not None
        self._last_word = monotonic()
        if self._reader.waiting >= self.limits.texts:
            return False
        if not self._reader.waiting:
            self.stream.end_segment()
        self._reader.read(text)
        return True

    def end_segment(self) -> None:
        self._last_word = monotonic()
        self.stream.end_segment()

    def interrupt(self) -> None:
        """Falls silent."""
        self._last_word = monotonic()
        if self._reader:
            self._reader.break_off()
        seconds = self.stream.clear()
        if self._segment is not None:
            self._tell("speech.ended", position=seconds, at=self._at, interrupted=True)
        self._segment = None
        self._tell("buffer.level", seconds=0.0)

    def update(self, sample_rate: int | None = None, **steering: Any) -> None:
        """Another rate of the sound to come, which ends the segment, or another stance of the head; a mouth as scores
        by their names. Raises GaussianTalkerError for a mouth that the avatar cannot make, and changes nothing."""
        self._last_word = monotonic()
        if steering.get("mouth") is not None:
            steering["mouth"] = held(self.avatar.listener, steering["mouth"])
        if sample_rate is not None and sample_rate != self.sample_rate:
            self.stream.end_segment()
            self.sample_rate = sample_rate
        for name, value in steering.items():
            setattr(self.stream.steering, name, value)

    def stand_before(self, background: str | None) -> None:
        """Something else behind the avatar: a colour, or a picture or film by the server's name for it; None is the
        avatar's own room. May open a file, and so take a moment.

        Raises:
            GaussianTalkerError: there is no such background, or the avatar cannot be cut out of its own.
        """
        self._last_word = monotonic()
        if background == TRANSPARENT:
            raise GaussianTalkerError("A live picture cannot be transparent: choose green, and key it out.")
        if background is not None and self.shows != PICTURES:
            raise GaussianTalkerError("Whoever draws the avatar chooses what is behind it: ask for pictures instead.")
        chosen = None
        if background is not None:
            file = self.backgrounds.get(background)
            chosen = Background.of(file) if file else Background.coloured(background)
            if chosen is None:
                names = ", ".join(self.backgrounds) or "none by name"
                raise GaussianTalkerError(f"There is no such background: give a colour, or one of: {names}.")
            chosen = self.avatar.before(chosen)
        self.stream.steering.background = chosen

    def close(self, why: str) -> None:
        """Ends everything that hangs on the session, telling its sockets why."""
        if self.closed.is_set():
            return
        self._tell("closed", detail=why)
        self.closed.set()
        if self._reader:
            self._reader.break_off()
        self.stream.close()
        for frames in self._viewers:
            frames.close()
        if self._playing is not asyncio.current_task():
            self._playing.cancel()

    @property
    def _at(self) -> float:
        return self.stream.gauges.frames / FPS

    async def _play(self) -> None:
        """Hands each frame to all who watch, when it is due."""
        try:
            while True:
                await self._watched.wait()
                frame = await anext(self.stream)
                self._announce(frame)
                for frames in self._viewers:
                    frames.put(frame)
        except StopAsyncIteration:
            pass
        except Exception:
            _log.exception("Session %s ended because its avatar failed.", self.id)
            self._tell("error", title="The avatar failed", detail="The session has ended; the server's log says why.")
            self.close("The avatar failed; the server's log says why.")

    def _announce(self, frame: AvFrame) -> None:
        """Events that follow from a frame."""
        if frame.segment is not None:
            if frame.segment != self._segment:
                self._segment, self._spoken = frame.segment, 0
                self._tell("speech.started", position=0.0, at=frame.seconds)
            self._spoken += 1
            if frame.last:
                self._segment = None
                self._tell("speech.ended", position=self._spoken / FPS, at=frame.seconds + 1 / FPS, interrupted=False)
        self._shown += frame.image is not None
        if frame.index % _LEVEL_EVERY == 0 and (self._segment is not None or frame.index % FPS == 0):
            self._tell("buffer.level", seconds=round(self.stream.buffered, 3))
        if frame.index % FPS == FPS - 1:
            self._tell("metrics", **self._metrics())
            self._shown = 0

    def _metrics(self) -> Event:
        gauges = self.stream.gauges
        p50, p95 = percentiles(gauges.seconds["rendering"], 50, 95)
        (offset,) = percentiles(list(gauges.offset)[-FPS:], 95)
        return {
            "fps": self._shown,
            "render_ms": {"p50": round(1000 * p50, 1), "p95": round(1000 * p95, 1)},
            "playback_latency_ms": round(1000 * gauges.latency[-1]) if gauges.latency else None,
            "av_offset_ms": round(1000 * offset),
            "late_pictures": gauges.late,
        }

    def _unread(self, why: str) -> None:
        self._tell("error", title="Not read", detail=why)

    def _tell(self, kind: str, **what: Any) -> None:
        for events in self._listeners:
            if not events.full():
                events.put_nowait({"type": kind, **what})
