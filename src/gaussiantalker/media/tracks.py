"""The tracks of a film or a sound file: which are meant, on one clock, decoded past what is damaged."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, overload

import av
from av.audio import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video import VideoStream

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.hardware import WORKERS
from gaussiantalker.media.files import existing_file

_Kind = Literal["audio", "video"]
_Track = AudioStream | VideoStream
_JUMP = 10.0
"""Seconds from which time stamps that follow no track's are a jump of the clock: that gap is closed, not bridged."""

_ASKED = {"audio": ("audio or video", "sound", "wav, mp3 or mp4"), "video": ("video", "a video", "mp4 or webm")}
_NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails  # cover art and previews
_MOST_LOST, _FEW = 0.1, 3  # share of the packets, and packets of however short a file
_BROKEN_SHARE = 0.02  # of the packets, by which a whole file may have fewer than it says
_BROKEN_READS = 50  # in a row, after which nothing more is to be had from a file
_LONG, _BACK = 1.0, 0.1  # seconds that no packet lasts, and by which one may go back
_TOLD_JUMPS = 4


@contextmanager
def opened(path: str | Path, kind: _Kind) -> Iterator[InputContainer]:
    """The file, to be read. Raises GaussianTalkerError when it is missing or nothing that can be read."""
    wanted, what, use = _ASKED[kind]
    path = existing_file(path, wanted)
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            yield container
    except FFmpegError as error:
        raise GaussianTalkerError(f"{path} is not {what} that can be read ({error.strerror}); use {use}.") from None


@overload
def chosen(container: InputContainer, kind: Literal["audio"]) -> AudioStream | None: ...
@overload
def chosen(container: InputContainer, kind: Literal["video"]) -> VideoStream | None: ...
def chosen(container: InputContainer, kind: _Kind) -> _Track | None:
    """The track that players play: the one marked as default, else the first; cover art is none."""
    of_kind = container.streams.audio if kind == "audio" else container.streams.video
    tracks = [track for track in of_kind if track.codec_context and not track.disposition & _NO_FILM]
    return next((track for track in tracks if track.disposition & Disposition.default), tracks[0] if tracks else None)


@overload
def frames(
    container: InputContainer, track: AudioStream, told: list[str], name: str
) -> Iterator[av.AudioFrame | None]: ...
@overload
def frames(
    container: InputContainer, track: VideoStream, told: list[str], name: str
) -> Iterator[av.VideoFrame | None]: ...
def frames(container: InputContainer, track: _Track, told: list[str], name: str) -> Iterator[Any]:
    """Decoded frames of a track, their times on the clock that sound and pictures share.

    None stands for what cannot be decoded, which is told. Raises GaussianTalkerError, after the last frame, when that
    is more than a tenth.
    """
    track.codec_context.thread_type = "AUTO"
    track.codec_context.thread_count = WORKERS
    lost = decoded = 0
    for packet in _packets(container, track, told):
        try:
            ready = packet.decode()
        except FFmpegError:
            lost += 1
            yield None
            continue
        decoded += len(ready)
        yield from ready
    read, counted = lost + decoded, track.frames  # 0 where the file counts none
    if counted * (1 - _BROKEN_SHARE) - _FEW > read:
        tell(told, f"the file breaks off: {read} of {counted} {name} are there")
    if not lost or not decoded:
        return
    what = f"{lost} of {read} {name} are damaged"
    if lost > max(_MOST_LOST * read, _FEW):
        raise GaussianTalkerError(f"{container.name}: {what}; copy or export the file again.")
    tell(told, f"{what} and were left out")


def first_picture(path: str | Path) -> float | None:
    """Seconds of the first picture that decodes, on the clock that sound and pictures share; None without pictures."""
    with opened(path, "audio") as container:
        track = chosen(container, "video")
        decoded = frames(container, track, [], "") if track else ()
        return next((frame.time for frame in decoded if frame), None)


def _packets(container: InputContainer, track: _Track, told: list[str]) -> Iterator[av.Packet]:
    """The packets of a track, and at the end an empty one. The other track is read along: its clock is the same."""
    both = [other for other in (chosen(container, "video"), chosen(container, "audio")) if other]
    clock, broken, place = _Clock(told), 0, 0
    while broken < _BROKEN_READS:
        try:
            for packet in container.demux(both):
                broken, place = 0, packet.pos or place
                clock.correct(packet)
                if packet.stream is track and packet.size:
                    yield packet
            break
        except FFmpegError as error:
            broken += 1
            if broken == _BROKEN_READS:
                _broken_off(container, place, told, error)
    end = av.Packet()
    end.stream, end.time_base = track, track.time_base or Fraction(1)
    yield end


def _broken_off(container: InputContainer, place: int, told: list[str], error: FFmpegError) -> None:
    """Tells where in a file, at which byte, nothing can be read any more, or refuses it when much is left behind."""
    share = place / max(container.size, 1)
    if share < 1 - _MOST_LOST:
        raise GaussianTalkerError(
            f"{container.name} can be read only to {share:.0%} ({error.strerror}); copy or export the file again."
        )
    tell(told, f"the file cannot be read to its end ({error.strerror})")


def measured(container: InputContainer, track: _Track, rate: float) -> float:
    """Seconds that a track lasts by its time stamps, or, without any, at this rate. Reads the file, decodes nothing."""
    stamps, count = [], 0
    for packet in _packets(container, track, []):
        if packet.size:
            count += 1
            stamps += [] if packet.pts is None else [_seconds(packet, packet.pts)]
    return max(stamps) - min(stamps) + 1 / rate if stamps else count / rate


class _Clock:
    """Makes one clock of time stamps that jump, as where recordings were joined.

    A jump is where a packet goes back in its track, or far ahead of what any track has reached: a pause of one track is
    none. After a jump another offset applies, for each track from its own first packet that fits no longer.
    """

    def __init__(self, told: list[str]) -> None:
        self._told, self._offsets = told, [0.0]
        self._epoch: dict[int, int] = {}  # which offset a track's packets have
        self._last: dict[int, float] = {}  # time of its last packet
        self._due: dict[int, float] = {}  # and when the next one follows
        self._first = float("nan")  # until a packet has come

    def correct(self, packet: av.Packet) -> None:
        """Moves the packet's time stamps by the jumps so far."""
        ticks = packet.pts if packet.dts is None else packet.dts
        if ticks is None:
            return
        if packet.pts is not None and abs(_seconds(packet, packet.pts - ticks)) > _JUMP:
            packet.pts = ticks
        track, ordered, stamp = packet.stream_index, packet.dts is not None, _seconds(packet, ticks)
        self._first = self._first if self._last else stamp
        back = (
            _BACK if ordered and track in self._due else _JUMP
        )  # pictures may come in another order than they are shown
        epoch = self._epoch.get(track, len(self._offsets) - 1)
        if not self._fits(track, stamp + self._offsets[epoch], back):
            epoch = len(self._offsets) - 1
            if not self._fits(track, stamp + self._offsets[epoch], back):
                epoch = self._jump(track, stamp)
        time, duration = stamp + self._offsets[epoch], _seconds(packet, packet.duration or 0)
        self._epoch[track], self._last[track] = epoch, time
        if ordered:
            self._due[track] = time + (duration if duration < _LONG else 0.0)
        moved = round(self._offsets[epoch] / packet.time_base)
        packet.dts = None if packet.dts is None else packet.dts + moved
        packet.pts = None if packet.pts is None else packet.pts + moved

    def _fits(self, track: int, time: float, back: float) -> bool:
        ahead = time - self._due.get(track, self._first)
        near = ahead <= _JUMP or any(abs(time - other) <= _JUMP for other in self._last.values())
        return near and ahead >= -back

    def _jump(self, track: int, stamp: float) -> int:
        """Another offset, with which the packet follows what its track, or any, has reached."""
        due = self._due.get(track, max(self._last.values(), default=stamp))
        self._offsets.append(due - stamp)
        if len(self._offsets) <= _TOLD_JUMPS:
            tell(self._told, f"the time stamps jump at {due - self._first:.1f} s; what follows was joined")
        return len(self._offsets) - 1


def tell(told: list[str], sentence: str) -> None:
    """Adds a sentence, once: a film is read for its pictures and for its sound."""
    if sentence not in told:
        told.append(sentence)


def _seconds(packet: av.Packet, ticks: int) -> float:
    return float(ticks * packet.time_base)
