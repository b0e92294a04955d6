"""A viewer over WebRTC, by the WHEP protocol (draft-ietf-wish-whep): one offer, one answer."""

import asyncio
import secrets
from contextlib import ExitStack
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.sdp import SessionDescription

from gaussiantalker.serving.encoder import FaceEncoder
from gaussiantalker.serving.frame_queue import FrameQueue
from gaussiantalker.serving.ice import bound, tamed
from gaussiantalker.serving.problems import Problem
from gaussiantalker.serving.reports import Reports
from gaussiantalker.serving.session import Session
from gaussiantalker.serving.tracks import PictureTrack, SoundTrack
from gaussiantalker.timing import FPS

_SOUND_BACKLOG = 2 * FPS  # frames: sound is never dropped, so one who falls further behind is disconnected
_OVER = ("failed", "closed")


class Call:
    """One peer connection that watches a session. It ends with the session, or when the peer is gone."""

    def __init__(self, session: Session) -> None:
        """Raises Problem when the session has no place left."""
        self.id = secrets.token_urlsafe(12)
        self._session, self._resources = session, ExitStack()
        self._resources.enter_context(session.place())
        self._sound, self._pictures = FrameQueue(_SOUND_BACKLOG), FrameQueue(2, skips=True)
        self._forwarding: asyncio.Task | None = None
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # asks no server of others who we are
        self._connected, self._over = asyncio.Event(), asyncio.Event()
        self._peer.on("connectionstatechange", self._changed)
        self.ended = asyncio.create_task(self._live(), name=f"call {self.id}")

    async def answer(self, offer: str) -> str:
        """The SDP answer to an SDP offer. Raises Problem for what is no offer, and ends then.

        Whatever aiortc raises is the offer's fault: it says so in nine kinds of exception, most of them by accident.
        """
        limits = self._session.limits
        try:
            offer = tamed(offer, limits.candidates)
            tracks = SoundTrack(self._sound, self._start), PictureTrack(self._pictures, self._start)
            sound, pictures = (self._peer.addTransceiver(track, "sendonly") for track in tracks)
            _choose_codecs(sound, pictures)
            reports = Reports()
            reports.govern(sound.sender, tracks[0])
            reports.govern(pictures.sender, tracks[1])
            await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            bound(self._peer, limits)
            await self._peer.setLocalDescription(await self._peer.createAnswer())
            answer = self._peer.localDescription.sdp
            if _video_codec(answer) == "H264":
                self._sharpen(pictures.sender)
            return answer
        except Problem:
            self.close()
            raise
        except Exception as error:
            self.close()
            why = str(error) or type(error).__name__
            raise Problem(400, f"This is not an SDP offer that can be answered: {why}.") from None

    def close(self) -> None:
        """Begins to end the call; `ended` is done when it has."""
        self._over.set()

    def _changed(self) -> None:
        if self._peer.connectionState == "connected":
            self._connected.set()
        if self._peer.connectionState in _OVER:
            self._over.set()

    async def _live(self) -> None:
        """Waits for the end of the call, or of the time to get through, and puts everything away."""
        connected, *ends = (
            asyncio.create_task(event.wait()) for event in (self._connected, self._over, self._session.closed)
        )
        try:
            seconds = self._session.limits.connect_seconds
            await asyncio.wait([connected, *ends], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if connected.done():
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (connected, *ends, self._forwarding):
                if task:
                    task.cancel()
            self._sound.close()
            self._pictures.close()
            with self._resources:
                await self._peer.close()

    def _start(self) -> None:
        """Begins to watch, when the connection first asks for sound or pictures."""
        if self._forwarding is None:
            self._forwarding = asyncio.create_task(self._forward())

    async def _forward(self) -> None:
        with self._session.watch() as frames:
            async for frame in frames:
                self._sound.put(frame)
                self._pictures.put(frame)
        self.close()

    def _sharpen(self, sender: RTCRtpSender) -> None:
        """Gives the sender our encoder, since aiortc has no call for that; without it the picture would be blurred."""
        camera = self._session.avatar.camera
        hidden: Any = sender
        hidden._RTCRtpSender__encoder = FaceEncoder(camera.width, camera.height, self._session.encoded)


def _choose_codecs(sound: RTCRtpTransceiver, pictures: RTCRtpTransceiver) -> None:
    """Opus alone, and H.264 before VP8, which aiortc would otherwise take from most browsers."""
    opus = [codec for codec in RTCRtpSender.getCapabilities("audio").codecs if codec.mimeType == "audio/opus"]
    sound.setCodecPreferences(opus)
    codecs = RTCRtpSender.getCapabilities("video").codecs
    pictures.setCodecPreferences(sorted(codecs, key=lambda codec: codec.mimeType != "video/H264"))


def _video_codec(sdp: str) -> str | None:
    """The name of the first video codec in a session description."""
    for media in SessionDescription.parse(sdp).media:
        if media.kind == "video" and media.rtp.codecs:
            return media.rtp.codecs[0].name
    return None
