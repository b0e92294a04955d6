"""Connections that ask for nothing, too slowly or for too much: they are told so, and others are served meanwhile."""

import asyncio
import logging
import re
import socket

import httpx
import pytest
from flash_and_beep import FlashAndBeep
from live import Server, serving

from gaussiantalker.serving.limits import Limits

HALF = b"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n"
OPENING = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


async def connect(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = server.address.split(":")
    return await asyncio.open_connection(host, int(port))


async def told(server: Server, data: bytes) -> bytes:
    """All that comes back for bytes until the server hangs up."""
    reader, writer = await connect(server)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("data", [HALF, HALF + b"\r\n{", b""])
def test_a_request_that_does_not_come_whole_is_given_up(data: bytes) -> None:
    async def live() -> bytes:
        async with serving(limits=Limits(request_seconds=0.2)) as server:
            return await told(server, data)

    answer = asyncio.run(live())
    assert answer.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in answer and b"nosniff" in answer


def test_the_time_for_a_second_request_begins_with_its_first_byte() -> None:
    async def live() -> bytes:
        async with serving(limits=Limits(request_seconds=0.3)) as server:
            reader, writer = await connect(server)
            for _ in range(2):
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await reader.readuntil(b"ok")
                await asyncio.sleep(0.4)
            writer.write(HALF)
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(live()).startswith(b"HTTP/1.1 408 ")


def test_more_half_requests_than_there_is_room_for_keep_nobody_out() -> None:
    async def live() -> tuple[list[int], int]:
        async with serving(limits=Limits(connections=8)) as server:
            held = [await connect(server) for _ in range(8)]
            statuses = []
            for _ in range(40):
                held.append(await connect(server))
                held[-1][1].write(HALF)
                async with httpx.AsyncClient(base_url=f"http://{server.address}") as http:
                    statuses.append((await http.get("/healthz")).status_code)
            gone = await asyncio.gather(*(reader.read() for reader, _ in held[:30]), return_exceptions=True)
            for _, writer in held:
                writer.transport.abort()
            return statuses, len(gone)

    statuses, gone = asyncio.run(live())
    assert set(statuses) == {200} and gone == 30


def test_when_all_are_at_work_a_newcomer_is_told_so() -> None:
    async def live() -> tuple[bytes, bytes]:
        async with serving(limits=Limits(connections=2)) as server:
            session = await server.begin()
            await server.http.aclose()  # its connection, kept, would give way
            watching = f"GET {session['stream']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            viewers = [await connect(server) for _ in range(2)]
            for reader, writer in viewers:
                writer.write(watching)
                await reader.readuntil(b"\r\n\r\n")
            refused = await told(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            more = await viewers[0][0].read(10)
            for _, writer in viewers:
                writer.transport.abort()
            return refused, more

    refused, more = asyncio.run(live())
    assert refused.startswith(b"HTTP/1.1 503 ") and b"retry-after" in refused.lower() and len(more) == 10


def test_a_viewer_that_does_not_read_loses_its_place() -> None:
    async def live() -> None:
        async with serving(avatar=FlashAndBeep(256), limits=Limits(read_seconds=0.3)) as server:
            session = await server.begin()
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.setblocking(False)
            host, port = server.address.split(":")
            await asyncio.get_running_loop().sock_connect(deaf, (host, int(port)))
            requests = f"GET {session['stream']} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            deaf.send(requests.encode())
            found = server.sessions.find(session["id"])
            while not found._places:
                await asyncio.sleep(0.02)
            (viewer,) = (one for one in server.connections if not one._is_idle)
            viewer.pause_writing()  # as its transport does once it holds 64 KiB
            while found._places:
                await asyncio.sleep(0.02)
            deaf.close()

    asyncio.run(live())


def test_sockets_have_no_such_time() -> None:
    async def live() -> None:
        async with serving(limits=Limits(request_seconds=0.2)) as server:
            session = await server.begin()
            async with server.socket(session) as talking, server.socket(session) as listening:
                await asyncio.sleep(0.5)
                await talking.send("{}")
                assert "error" in await talking.recv()
                await (await listening.ping())

    asyncio.run(live())


def test_answers_leave_at_once_on_every_connection() -> None:
    async def live() -> list[int]:
        async with serving() as server:
            session = await server.begin()
            async with server.socket(session):
                return [
                    one.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                    for one in server.connections
                ]

    flags = asyncio.run(live())
    assert len(flags) >= 2 and all(flags)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x00\xff\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://[\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: [\r\n\r\n", 403),
        (b"POST /v1/sessions/x/socket HTTP/1.1\r\nHost: localhost\r\n" + OPENING + b"\r\n", 405),
        (b"GET /v1/sessions/x/socket HTTP/1.1\r\nHost: [\r\n" + OPENING + b"\r\n", 403),
        (b"GET /v1/sessions/x/socket HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n" + OPENING + b"\r\n", 405),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx", 200),
    ],
)
def test_nonsense_is_refused_without_a_traceback(data: bytes, status: int, caplog: pytest.LogCaptureFixture) -> None:
    async def live() -> bytes:
        async with serving(limits=Limits(request_seconds=0.3)) as server:
            return await told(server, data)

    with caplog.at_level(logging.WARNING):
        answer = asyncio.run(live())
    assert re.match(rb"HTTP/1\.1 (\d+) ", answer)[1] == str(status).encode()
    assert "Traceback" not in caplog.text and not [record for record in caplog.records if record.exc_info]
