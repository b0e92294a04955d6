"""A server with a session that is watched and spoken to for hours of its own clock, which runs fast."""

import asyncio
import ctypes
import gc
import json
import multiprocessing
import os
import sys
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import websockets

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
LOOKS = 12  # rows, at even distances


def soak(hours: float, speed: float, pipe: Connection) -> None:
    sys.path.insert(0, str(FIXTURES))
    import fast_clock

    pipe.send(fast_clock.run(speed, live(3600 * hours, speed)))


async def live(seconds: float, speed: float) -> list[dict]:
    """Rows over so many seconds of the loop's clock: memory, descriptors, frames, late pictures."""
    from live import on_loopback, serving

    rows, clock = [], asyncio.get_running_loop().time
    with on_loopback():
        async with serving(seconds=1e9) as server:
            server.http.timeout = None
            session = await server.begin()
            found = server.sessions.find(session["id"])
            again = Counter()
            clients = (speak, watch, look)
            work = [asyncio.create_task(steadily(does, server, session, again)) for does in clients]
            began = clock()
            for k in range(LOOKS + 1):
                await asyncio.sleep(began + k * seconds / LOOKS - clock())
                gc.collect()
                gauges = found.stream.gauges
                row = {"minutes": round((clock() - began) / 60, 1), "mb": megabytes(), "frames": gauges.frames}
                row |= {"fds": len(os.listdir("/proc/self/fd")), "late": gauges.late, "tasks": len(asyncio.all_tasks())}
                row |= {"connected_again": again.total(), "objects": len(gc.get_objects()), "in_use_mb": in_use()}
                rows.append(row)
                sys.stderr.write(json.dumps(row) + "\n")
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
    return rows


async def steadily(does, server, session: dict, again: Counter) -> None:
    """Comes back when it is cut off, as on a busy machine, where a fast clock leaves little time to answer."""
    while True:
        try:
            await does(server, session)
        except (websockets.ConnectionClosed, httpx.HTTPError):
            pass
        again[does.__name__] += 1


class Allocated(ctypes.Structure):
    """What glibc's mallinfo2 tells (mallinfo(3))."""

    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]


def in_use() -> float:
    """Megabytes that C's library has given out and not got back; the rest of a process's growth is holes among them."""
    told = ctypes.CDLL(None).mallinfo2
    told.restype = Allocated
    found = told()
    return round((found.uordblks + found.hblkhd) / 1e6, 1)


def megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


async def speak(server, session: dict) -> None:
    """Three seconds of sound, and three of silence, again and again; one sentence in ten is interrupted."""
    from flash_and_beep import beeps
    from live import pcm16

    async with server.socket(session, ping_interval=None) as socket:
        hearing, count = asyncio.create_task(drain(socket)), 0
        while not hearing.done():
            await socket.send(pcm16(beeps(3)))
            await socket.send('{"type": "segment.end"}')
            await asyncio.sleep(6 if count % 10 else 1)
            if not count % 10:
                await socket.send('{"type": "interrupt"}')
            count += 1


async def drain(socket) -> None:
    with suppress(websockets.ConnectionClosed):
        async for _ in socket:
            pass


async def look(server, session: dict) -> None:
    """A viewer over HTTP."""
    async with server.http.stream("GET", session["stream"], timeout=None) as answer:
        async for _ in answer.aiter_raw():
            pass


async def watch(server, session: dict) -> None:
    """A viewer over WebRTC that counts on its own reports; what it gets it does not decode."""
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in ("audio", "video"):
        receiver = peer.addTransceiver(kind, direction="recvonly").receiver
        receiver._handle_rtp_packet = nothing
    await peer.setLocalDescription(await peer.createOffer())
    headers = {"Content-Type": "application/sdp"}
    answer = await server.http.post(session["whep"], content=peer.localDescription.sdp, headers=headers)
    await peer.setRemoteDescription(RTCSessionDescription(answer.raise_for_status().text, "answer"))
    try:
        while peer.connectionState not in ("failed", "closed"):
            await asyncio.sleep(1)
    finally:
        await peer.close()


async def nothing(packet, arrival_time_ms: int) -> None:
    pass


def run(hours: float, speed: float) -> list[dict]:
    """A row for each twelfth of the time, from a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=soak, args=(hours, speed, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()
