"""A client of `gaussiantalker serve` that measures: a viewer over WebRTC that notes every packet, and a socket."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import numpy as np
import websockets
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpSrPacket

SOUND_RATE, PICTURE_RATE = 48_000, 90_000  # of RTP timestamps
LOUD = 0.1
CHUNK = 640  # samples that are sent at a time, 40 ms


@dataclass
class Stream:
    """What came of sound or pictures; times are on the loop's clock, timestamps are RTP's."""

    rate: int
    arrivals: list[tuple[float, int]] = field(default_factory=list)  # of packets: time, timestamp
    levels: list[tuple[float, float]] = field(default_factory=list)  # onsets are found in these: timestamp, level
    reports: list[tuple[float, int]] = field(default_factory=list)  # sender reports: wall time in s, timestamp
    sequence: list[int] = field(default_factory=list)
    loud: list[float] = field(default_factory=list)  # when packets came in which something is heard

    @property
    def lost(self) -> int:
        """Packets that never came, by their sequence numbers."""
        numbers = np.unwrap(np.array(self.sequence, float), period=2**16)
        return int(numbers.max() - numbers.min() + 1 - len(set(numbers))) if len(numbers) else 0

    def wall(self, timestamp: float) -> float:
        """Seconds of the sender's wall clock at a timestamp, as a browser reckons: by the report nearest to it."""
        second, reference = min(self.reports, key=lambda report: abs(report[1] - timestamp))
        return second + (timestamp - reference) / self.rate

    def onsets(self) -> list[float]:
        """Timestamps at which the level rises above half its range after at least a quarter second below."""
        high = max(level for _, level in self.levels) / 2
        found, quiet_since = [], None
        for timestamp, level in self.levels:
            if level < high:
                quiet_since = timestamp if quiet_since is None else quiet_since
                continue
            if quiet_since is not None and timestamp - quiet_since > self.rate / 4:
                found.append(timestamp)
            quiet_since = None
        return found


class Client:
    """One session that is watched and spoken to. A context manager."""

    def __init__(self, address: str) -> None:
        self._http = httpx.AsyncClient(base_url=f"http://{address}", timeout=30)
        self._address, self._stack = address, AsyncExitStack()
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.sound, self.pictures = Stream(SOUND_RATE), Stream(PICTURE_RATE)
        self.shown: list[float] = []  # when pictures were decoded
        self.events: list[tuple[float, dict]] = []
        self._opus = OpusDecoder()
        self._tasks: list[asyncio.Task] = []

    async def __aenter__(self) -> "Client":
        self.clock = asyncio.get_running_loop().time
        self.facts = (await self._http.post("/v1/sessions")).raise_for_status().json()
        url = f"ws://{self._address}{self.facts['socket']}"
        self._socket = await self._stack.enter_async_context(websockets.connect(url))
        self._tasks.append(asyncio.create_task(self._listen()))
        await self._watch()
        while not self.shown or not self.sound.arrivals:
            await asyncio.sleep(0.02)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._peer.close()
        for task in self._tasks:
            task.cancel()
        await self._stack.aclose()
        await self._http.delete(f"/v1/sessions/{self.facts['id']}")
        await self._http.aclose()

    async def say(self, audio: np.ndarray) -> float:
        """Sends sound in real time, as a microphone does, and the segment's end; returns when the first went off."""
        began = self.clock()
        for at in range(0, len(audio), CHUNK):
            await self._socket.send((audio[at : at + CHUNK] * 32767).astype("<i2").tobytes())
            await asyncio.sleep(began + (at + CHUNK) / 16_000 - self.clock())
        await self._socket.send(json.dumps({"type": "segment.end"}))
        return began

    async def interrupt(self) -> float:
        """Returns when it was sent."""
        await self._socket.send(json.dumps({"type": "interrupt"}))
        return self.clock()

    async def event(self, kind: str, after: float) -> float:
        """When the first event of this type after a moment came."""
        while True:
            for at, event in self.events:
                if at >= after and event["type"] == kind:
                    return at
            await asyncio.sleep(0.01)

    async def metrics(self) -> str:
        return (await self._http.get("/metrics")).text

    async def _listen(self) -> None:
        async for message in self._socket:
            self.events.append((self.clock(), json.loads(message)))

    async def _watch(self) -> None:
        for kind, stream in (("audio", self.sound), ("video", self.pictures)):
            receiver = self._peer.addTransceiver(kind, direction="recvonly").receiver
            receiver._handle_rtp_packet = self._noting(receiver._handle_rtp_packet, stream)
            receiver._handle_rtcp_packet = self._reporting(receiver._handle_rtcp_packet, stream)
        self._peer.on("track", lambda track: self._tasks.append(asyncio.create_task(self._show(track))))
        await self._peer.setLocalDescription(await self._peer.createOffer())
        headers = {"Content-Type": "application/sdp"}
        offer = self._peer.localDescription.sdp
        answer = await self._http.post(self.facts["whep"], content=offer, headers=headers)
        await self._peer.setRemoteDescription(RTCSessionDescription(answer.raise_for_status().text, "answer"))

    def _noting(self, handle, stream: Stream):
        async def noted(packet, arrival_time_ms) -> None:
            stream.arrivals.append((self.clock(), packet.timestamp))
            stream.sequence.append(packet.sequence_number)
            if stream is self.sound and packet.payload:
                (frame,) = self._opus.decode(JitterFrame(packet.payload, packet.timestamp))
                wave = np.abs(frame.to_ndarray().reshape(-1, 2)[:, 0]) / 32768
                if wave.max() > LOUD:
                    stream.loud.append(self.clock())
                stream.levels += [(packet.timestamp + at, wave[at : at + 96].max()) for at in range(0, len(wave), 96)]
            await handle(packet, arrival_time_ms)

        return noted

    def _reporting(self, handle, stream: Stream):
        async def reported(packet) -> None:
            if isinstance(packet, RtcpSrPacket) and packet.sender_info.rtp_timestamp:
                wall = packet.sender_info.ntp_timestamp / 2**32
                stream.reports.append((wall, packet.sender_info.rtp_timestamp))
            await handle(packet)

        return reported

    async def _show(self, track) -> None:
        try:
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    self.shown.append(self.clock())
                    timestamp = self.pictures.arrivals[0][1] + frame.pts  # aiortc counts from the first
                    self.pictures.levels.append((timestamp, float(np.frombuffer(frame.planes[0], np.uint8).mean())))
        except MediaStreamError:
            pass
