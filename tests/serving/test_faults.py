"""Clients that misbehave or vanish: the next one is served as if nothing had happened."""

import asyncio
import gc
import threading
from pathlib import Path

import numpy as np
import pytest
import websockets
from flash_and_beep import FlashAndBeep, beeps
from live import Server, heard, pcm16, serving, watching

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.call import Call
from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.session import Session
from gaussiantalker.speaking import AvatarStream
from gaussiantalker.speaking.segment import Segment

QUICK = Limits(sessions=60, abandoned_seconds=0.5, sweep_seconds=0.05)


async def speaks(server: Server) -> bool:
    """Whether a new client is served well."""
    session = await server.begin()
    async with server.socket(session) as socket:
        with server.sessions.find(session["id"]).watch():
            await socket.send(pcm16(beeps(0.2)))
            await socket.send('{"type": "segment.end"}')
            ended = await heard(socket, "speech.ended")
    await server.http.delete(f"/v1/sessions/{session['id']}")
    return ended["position"] == pytest.approx(0.2) and not ended["interrupted"]


async def all_ended(server: Server) -> None:
    while len(server.sessions):
        await asyncio.sleep(0.05)


def test_a_client_that_is_killed_in_mid_sentence() -> None:
    async def live() -> bool:
        async with serving(limits=QUICK) as server:
            session = await server.begin()
            socket = await server.socket(session)
            async with watching(server, session) as watcher:
                await socket.send(pcm16(np.full(100_000, 0.3)))
                await heard(socket, "speech.started")
                while not watcher.pictures:
                    await asyncio.sleep(0.02)
                socket.transport.abort()
            await all_ended(server)
            return await speaks(server)

    assert asyncio.run(live())


def test_half_a_request_and_noise_on_the_port() -> None:
    async def live() -> bool:
        async with serving(limits=QUICK) as server:
            host, port = server.address.split(":")
            for data in (b"POST /v1/sessions HTTP/1.1\r\nContent-Le", b"\x16\x03\x01\x00\xff" * 50, b"\r\n\r\n"):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(data)
                await writer.drain()
                writer.transport.abort()
            return await speaks(server)

    assert asyncio.run(live())


def test_an_avatar_that_fails_ends_its_session_alone() -> None:
    avatar = FlashAndBeep()
    perform = avatar.perform

    async def live() -> tuple:
        async with serving(avatar=avatar, limits=QUICK) as server:
            session = await server.begin()
            avatar.perform = lambda *_: (_ for _ in ()).throw(GaussianTalkerError("no picture today"))
            async with server.socket(session) as socket:
                with server.sessions.find(session["id"]).watch() as frames:
                    error = await heard(socket, "error")
                    assert await anext(frames, None) is None
                with pytest.raises(websockets.ConnectionClosed):
                    await socket.recv()
            avatar.perform = perform
            await all_ended(server)
            return error, await speaks(server)

    error, spoke = asyncio.run(live())
    assert error["title"] == "The avatar failed" and spoke


def left_behind() -> list[object]:
    """What sessions are made of and should be gone with them."""
    gc.collect()
    return [thing for thing in gc.get_objects() if type(thing) in (Session, AvatarStream, Segment, Call)]


def resident_pages() -> int:
    """Memory that this process occupies, where the system tells it."""
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) if file.exists() else 1


def test_fifty_sessions_come_and_go_and_leave_nothing_behind() -> None:
    async def come_and_go(server: Server, times: int) -> None:
        for count in range(times):
            session = await server.begin()
            async with server.socket(session) as socket:
                await socket.send(pcm16(np.zeros(16_000)))
                if count % 25 == 0:
                    async with watching(server, session) as watcher:
                        while not watcher.sounds:
                            await asyncio.sleep(0.02)
            if count % 2:
                await server.http.delete(f"/v1/sessions/{session['id']}")
        await all_ended(server)

    async def live() -> None:
        others = left_behind()  # by other tests
        async with serving(limits=QUICK) as server:
            await come_and_go(server, 11)
            before = resident_pages()
            await come_and_go(server, 50)
            assert await speaks(server)
            assert resident_pages() < 1.1 * before
            assert not [thing for thing in left_behind() if not any(thing is other for other in others)]

    threads = set(threading.enumerate())
    asyncio.run(live())
    for thread in {thread for thread in threading.enumerate() if thread.name.startswith("studio")} - threads:
        thread.join(timeout=5)
        assert not thread.is_alive()
