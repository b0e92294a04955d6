"""The live avatar: sound in at any time, and 25 times a second a picture with its sound out."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from gaussiantalker.speaking.frames import AvFrame, Speaker
from gaussiantalker.speaking.gauges import Gauges
from gaussiantalker.speaking.motion import Steering
from gaussiantalker.speaking.segment import Segment
from gaussiantalker.speaking.studio import Studio
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

BUFFER = 4  # frames rendered ahead of their time, which even out how long pictures take
PATIENCE = 25  # frames without sound after which a segment that nobody ended is ended
BEHIND = 0.2  # seconds behind the clock from which time lost is given up instead of hurried after
_FROZEN = 0.5  # seconds after which a picture is made however late it is
_LEARNING = 0.2  # weight of the newest picture in the average of what a picture takes
_NOTHING = np.zeros(SAMPLES_PER_FRAME, np.float32)


@dataclass(eq=False)
class _Slot:
    """A frame that is decided but not due yet."""

    index: int
    samples: np.ndarray  # float32 [640]
    segment: Segment | None = None
    frame: int = 0  # of the segment
    before: "_Slot | None" = None  # between segments: the frame that the mouth comes from
    cut: bool = False  # speech was broken off just before
    heard: np.ndarray | None = None  # as the listener gives it
    picture: "Future[np.ndarray | None]" = field(default_factory=Future)


class AvatarStream(AsyncIterator[AvFrame]):
    """An avatar that listens while it speaks. Iterating gives its frames in real time, without end until `close`.

    Sound is the master. Which 40 ms are heard at a frame is decided by the sound that has come and by the clock alone;
    the studio renders the decided frames ahead of their time, those that wait together. A picture that is not ready
    when its frame is due is left out (`image` is None, or an older picture that has just become ready), never any
    sound, so the two cannot drift apart. With nothing to say the avatar idles with its mouth shut.

    `realtime=False` waits for every picture and for no clock: as fast as can be rendered, each frame when it is asked
    for. All methods return at once and may be called from any thread. Streams may share a studio; one that is not given
    any has its own.
    """

    def __init__(
        self,
        avatar: Speaker,
        steering: Steering | None = None,
        *,
        realtime: bool = True,
        studio: Studio | None = None,
    ) -> None:
        self.steering = steering or Steering()
        self.gauges = Gauges()
        self._avatar, self._realtime = avatar, realtime
        self._lock = threading.RLock()
        self._studio, self._own_studio = studio or Studio(), studio is None
        self._silence = avatar.listener.silence
        self._segments: deque[Segment] = deque()
        self._segment_count, self._last_sound = 0, 0
        self._slots: deque[_Slot] = deque()
        self._last: _Slot | None = None  # that was given out or is about to be
        self._late: _Slot | None = None  # given out before its picture was ready, which may still be of use
        self._speaking = self._cut = self._closed = False
        self._start: float | None = None
        self._shown = -1  # index of the picture on screen
        self._cost, self._made = 0.0, 0.0  # seconds that a picture takes, and when the last one was made

    @property
    def lookahead(self) -> float:
        """Seconds of sound that must have come before the frame they belong to is shown."""
        return self._avatar.listener.lookahead / SAMPLE_RATE

    @property
    def buffered(self) -> float:
        """Seconds of sound that wait to be spoken."""
        with self._lock:
            return sum(segment.waiting for segment in self._segments) / SAMPLE_RATE

    @property
    def waiting(self) -> int:
        """How many segments have not been given out to their end."""
        return len(self._segments)

    def push_audio(self, pcm: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
        """Mono sound [S] to say, float in [-1, 1] or int16, at one rate from 8,000 to 48,000 Hz per segment.

        Raises GaussianTalkerError when it is not such sound.
        """
        if not len(pcm):
            return
        with self._lock:
            if not self._segments or self._segments[-1].ended:
                segment = Segment(self._avatar.listener, self._segment_count)
                segment.push(pcm, sample_rate)
                self._segments.append(segment)
                self._segment_count += 1
            else:
                self._segments[-1].push(pcm, sample_rate)
            self._last_sound = self._next_index

    def end_segment(self) -> None:
        """What was pushed is a whole utterance: it is spoken to its end without waiting for more."""
        with self._lock:
            if self._segments:
                self._segments[-1].end()

    def clear(self) -> float:
        """Falls silent: the next frame holds nothing of what was pushed. Returns the seconds played of the segment."""
        with self._lock:
            self._forget()
            played = self._segments[0].played / FPS if self._segments else 0.0
            for segment in self._segments:
                segment.cleared = True
            self._segments.clear()
            while self._slots and any(slot.segment for slot in self._slots):
                self._slots.pop().picture.cancel()
            self._cut, self._speaking = True, False
            if self._start is not None and not self._closed:
                self._decide()
        return played

    def close(self) -> None:
        """Ends the iteration and the rendering."""
        with self._lock:
            self._closed = True
        self._studio.leave(self)
        if self._own_studio:
            self._studio.close()

    async def __anext__(self) -> AvFrame:
        """The next frame, when it is due. Raises what rendering raised."""
        await self._until_due()
        with self._lock:
            if self._closed:
                raise StopAsyncIteration
            if not self._slots:  # The sound broke off on the way: it is waited for as if between segments.
                self._speaking = False
            self._decide()
            slot = self._last = self._slots.popleft()
        if not self._realtime:
            await asyncio.gather(asyncio.wrap_future(slot.picture), return_exceptions=True)
        return self._given(slot)

    async def _until_due(self) -> None:
        now = monotonic()
        if self._start is None:
            self._start = now + (BUFFER / FPS if self._realtime else 0)
            with self._lock:
                if not self._closed:
                    self._decide()
        if not self._realtime:
            return
        index = self._last.index + 1 if self._last else 0
        if now - self._due(index) > BEHIND:
            self._start += now - self._due(index)
        await asyncio.sleep(max(self._due(index) - now, 0))

    def _due(self, index: int) -> float:
        return float("inf") if self._start is None or not self._realtime else self._start + index / FPS

    @property
    def _next_index(self) -> int:
        """Of the first frame that is not decided yet."""
        if self._slots:
            return self._slots[-1].index + 1
        return self._last.index + 1 if self._last else 0

    def _decide(self) -> None:
        """Decides what is heard at the frames to come, as far ahead as is rendered."""
        while len(self._slots) < BUFFER:
            slot = self._slot()
            if slot is None:
                return
            self._slots.append(slot)
            slot.picture = self._studio.submit(self, self._due(slot.index), slot, self._render)

    def _slot(self) -> _Slot | None:
        """The next frame; None while the middle of a segment must be waited for."""
        self._forget()
        index = self._next_index
        segment = next((segment for segment in self._segments if not segment.over), None)
        if segment and not segment.ready and index - self._last_sound > PATIENCE:
            segment.end()
        if segment and segment.ready:
            self._speaking, self._cut = True, False
            return _Slot(index, segment.take(), segment, segment.taken - 1)
        if segment and segment.taken and self._speaking:
            return None
        before = self._slots[-1] if self._slots else self._last
        slot = _Slot(index, _NOTHING, before=before, cut=self._cut)
        self._speaking = self._cut = False
        return slot

    def _forget(self) -> None:
        """Lets go of segments that were given out to their end."""
        while self._segments and self._segments[0].done:
            self._segments.popleft()

    def _render(self, slots: list[_Slot]) -> Iterator[np.ndarray | None]:
        """The slots' pictures, in the rendering thread; None for one that would be late where another would not."""
        for slot in slots:
            began = monotonic()
            slot.heard = self._heard(slot)
            self.gauges.seconds["hearing"].append(monotonic() - began)
        together: list[_Slot] = []
        for slot in slots:
            if self._too_late(slot, len(together)):
                yield from self._pictures(together)
                yield None
                together = []
            else:
                together.append(slot)
        yield from self._pictures(together)

    def _too_late(self, slot: _Slot, before: int) -> bool:
        """Whether a picture would be late, with so many to be made before it, where a later one would not."""
        since = monotonic()
        with self._lock:
            newest = not self._slots or self._slots[-1] is slot
        late = since + (before + 1) * self._cost > self._due(slot.index)
        return late and not newest and since - self._made < _FROZEN

    def _pictures(self, slots: list[_Slot]) -> Iterator[np.ndarray]:
        """Pictures of slots that follow each other: made together, but for a first one that this would make late."""
        if not slots:
            return
        first, since = slots[0].index, monotonic()
        heard = np.stack([slot.heard for slot in slots if slot.heard is not None])  # all are, as `_render` has seen to
        alone = int(since + len(slots) * self._cost > self._due(first))
        for start, stop in ((0, alone), (alone, len(slots))):
            if start < stop:
                yield from self._avatar.perform(heard[start:stop], first + start, self.steering)
        self._made = monotonic()
        took = (self._made - since) / len(slots)
        self.gauges.seconds["rendering"].extend([took] * len(slots))
        self._cost += _LEARNING * (took - self._cost)

    def _heard(self, slot: _Slot) -> np.ndarray:
        """What is heard [...] in the slot's frame."""
        if slot.segment:
            return slot.segment.heard(slot.frame)
        before, slot.before = slot.before, None
        if before is None or before.heard is None:
            return self._silence
        return self._avatar.listener.fading(before.heard, slot.cut)

    def _given(self, slot: _Slot) -> AvFrame:
        """The frame, with its picture if there is one."""
        with self._lock:
            image = self._picture(slot)
            slot.before, segment, samples, last = None, slot.segment, slot.samples, False
            if segment and segment.cleared:  # while the picture was waited for
                segment, samples = None, _NOTHING
            if segment:
                segment.played += 1
                self.gauges.spoken += 1
                if segment.played == 1:
                    self.gauges.latency.append(monotonic() - segment.began)
                last = segment.done
            self.gauges.frames += 1
            self.gauges.late += image is None
            self.gauges.offset.append((slot.index - max(self._shown, 0)) / FPS)
        return AvFrame(slot.index, image, samples, segment.number if segment else None, last)

    def _picture(self, slot: _Slot) -> np.ndarray | None:
        """The slot's own picture, else an earlier one that has become ready since, else none."""
        for source in (slot, self._late):
            if source is None or source.index <= self._shown or not source.picture.done():
                continue
            try:
                image = source.picture.result()
            except CancelledError:
                image = None
            if image is not None:
                self._shown, self._late = source.index, None
                return image
        if not slot.picture.done() and not slot.picture.cancel():
            self._late = slot
        return None
