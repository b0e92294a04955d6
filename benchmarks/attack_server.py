"""Attacks on `gaussiantalker serve` over loopback: half requests, nonsense, noise, and clients that do not read."""

import asyncio
import json
import multiprocessing
import os
import random
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import websockets
from aioice import ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"  # where the avatar that flashes is
PATIENCE = 15.0  # seconds for an answer; what takes longer is counted as hanging
SDP = {"Content-Type": "application/sdp"}
OPENING = (
    b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Target:
    """The server, in a process of its own, with its log in a file."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / "server.log"
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=run_server, args=(self.port, self.log), daemon=True)

    def __enter__(self) -> "Target":
        self._process.start()
        while not self.listens():
            if not self._process.is_alive():
                raise SystemExit(f"The server did not start: {self.log.read_text()}")
            time.sleep(0.1)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.join(10)
        self._process.kill()

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def megabytes(self) -> float:
        """Memory that it occupies."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def logged(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self._process.is_alive()


def run_server(port: int, log: Path) -> None:
    """`serve` as the command line calls it, with an avatar that needs no training."""
    from gaussiantalker.progress import SILENT
    from gaussiantalker.serving import server

    sys.path.append(str(FIXTURES))
    from flash_and_beep import FlashAndBeep

    with open(log, "wb", buffering=0) as file:
        os.dup2(file.fileno(), 2)
    ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    server.load = lambda *_: {"flash": FlashAndBeep(16)}
    server.serve([Path("flash")], "127.0.0.1", port, None, "cpu", SILENT)


@asynccontextmanager
async def client(target: Target) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None)
    address = f"http://127.0.0.1:{target.port}"
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=limits, trust_env=False) as http:
        yield http


async def begin(http: httpx.AsyncClient) -> dict:
    """A session, when there is room for one: those that nonsense began end after half a minute."""
    while (answer := await http.post("/v1/sessions")).status_code == 503:
        await asyncio.sleep(1)
    return answer.raise_for_status().json()


async def raw(target: Target, data: bytes, wait: float = 2.0) -> str:
    """The status with which bytes are answered, or what happened instead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    try:
        writer.write(data)
        head = await asyncio.wait_for(reader.readline(), wait)
        return head.split()[1].decode() if head.startswith(b"HTTP/") else "closed"
    except TimeoutError:
        return "waits"
    except (ConnectionError, IndexError):
        return "closed"
    finally:
        writer.transport.abort()


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Bytes with one to four places changed, cut, doubled or taken from nowhere."""
    data = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(5):
            case 0:
                del data[at : at + dice.randint(1, 20)]
            case 1:
                data[at:at] = dice.randbytes(dice.randint(1, 8))
            case 2:
                data[at:at] = data[max(at - dice.randint(1, 60), 0) : at]
            case 3:
                data[at:at] = dice.choice([b"-1", b"99999999999999999999", b"\x00", b"\r\n", b"[", b"\xff\xfe", b"%00"])
            case 4 if len(data) > at:
                data[at] = dice.randrange(256)
    return bytes(data)


async def half_requests(target: Target, dice: random.Random, count: int) -> dict:
    """More half-sent requests than a process has descriptors, and one who asks properly meanwhile."""
    held, served, slowest = [], Counter(), 0.0
    for k in range(count):
        with suppress(OSError):
            held.append(await asyncio.open_connection("127.0.0.1", target.port))
            held[-1][1].write(b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le")
        if k % 100 == 99:
            began = time.perf_counter()
            served[await raw(target, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", PATIENCE)] += 1
            slowest = max(slowest, time.perf_counter() - began)
    most = target.descriptors()
    await asyncio.sleep(12)
    told = await asyncio.gather(*(asyncio.wait_for(reader.read(), 1) for reader, _ in held), return_exceptions=True)
    still = sum(isinstance(end, TimeoutError) for end in told)
    for _, writer in held:
        writer.transport.abort()
    return {"answers": served, "descriptors": most, "slowest_ms": round(1000 * slowest), "held_after_12_s": still}


async def slow_bodies(target: Target, dice: random.Random, count: int) -> dict:
    """Requests whose bodies come by single bytes."""
    head = b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n"

    async def drip() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(head)
        try:
            for _ in range(15):
                writer.write(b" ")
                with suppress(TimeoutError):
                    return (await asyncio.wait_for(reader.readline(), 1)).split()[1].decode()
            return "waits"
        except (ConnectionError, IndexError):
            return "closed"
        finally:
            writer.transport.abort()

    return {"answers": Counter(await asyncio.gather(*(drip() for _ in range(count))))}


async def small_answers(target: Target, dice: random.Random, count: int) -> dict:
    """How long small answers take on a kept connection."""
    took = []
    async with client(target) as http:
        for _ in range(count):
            began = time.perf_counter()
            await http.get("/healthz")
            took.append(1000 * (time.perf_counter() - began))
    return {"median_ms": round(float(np.median(took)), 2), "p95_ms": round(float(np.percentile(took, 95)), 2)}


async def broken_requests(target: Target, dice: random.Random, count: int) -> dict:
    """Requests and openings of sockets with places changed, and headers that are none."""
    plain = b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"
    chunks = b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    opening = OPENING % (b"/v1/sessions/none/socket", target.port)
    answers = Counter()
    for origin in (b"http://[", b"http://[::1", b"//", b"\xff", b"null", b"http://127.0.0.1:99999999"):
        head = b"GET /v1/avatars HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: %b\r\n\r\n"
        answers[await raw(target, head % origin)] += 1
        answers[await raw(target, b"GET /v1/avatars HTTP/1.1\r\nHost: %b\r\n\r\n" % origin)] += 1
        answers[await raw(target, opening.replace(b"\r\n\r\n", b"\r\nOrigin: %b\r\n\r\n" % origin))] += 1
        answers[await raw(target, opening.replace(b"\r\n\r\n", b"\r\nContent-Length: %b\r\n\r\n" % (b"9" * 5000)))] += 1
    for _ in range(count):
        answers[await raw(target, mutated(dice.choice([plain, chunks, opening]), dice), 0.5)] += 1
    return {"answers": answers}


async def a_viewer() -> RTCPeerConnection:
    """That has made its offer."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in ("audio", "video"):
        peer.addTransceiver(kind, direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    return peer


async def an_offer() -> str:
    peer = await a_viewer()
    await peer.close()
    return peer.localDescription.sdp


def twisted(offer: str, dice: random.Random) -> str:
    """With lines changed, taken away or doubled."""
    lines = offer.splitlines(keepends=True)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(lines))
        other = mutated(lines[at].encode(), dice).decode("latin-1")
        lines[at : at + 1] = dice.choice([[], [lines[at]] * 2, [other]])
    return "".join(lines)


async def broken_offers(target: Target, dice: random.Random, count: int) -> dict:
    """SDP offers with lines changed, taken away or doubled, and one with a thousand streams."""
    good, answers, most = await an_offer(), Counter(), 0
    async with client(target) as http:
        session = await begin(http)
        for k in range(count):
            offer = twisted(good, dice)
            if k == 0:
                offer += "".join(f"m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:{k}\r\n" for k in range(1000))
            answer = await http.post(session["whep"], content=offer.encode(), headers=SDP)
            answers[str(answer.status_code)] += 1
            most = max(most, target.descriptors())
            if answer.status_code == 201:
                await http.delete(answer.headers["location"])
        await http.delete(f"/v1/sessions/{session['id']}")
    return {"answers": answers, "descriptors": most}


async def odd_viewers(target: Target, dice: random.Random, count: int) -> dict:
    """Viewers that offer something twisted and go on with what is answered."""
    answers = Counter()
    async with client(target) as http:
        session = await begin(http)
        for _ in range(count):
            peer = await a_viewer()
            answer = await http.post(
                session["whep"], content=twisted(peer.localDescription.sdp, dice).encode(), headers=SDP
            )
            if answer.status_code == 201:
                with suppress(Exception):  # of the viewer's, who is as odd
                    await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
                    await asyncio.sleep(0.7)
                await http.delete(answer.headers["location"])
            answers[f"{answer.status_code} {peer.connectionState}"] += 1
            await peer.close()
        await http.delete(f"/v1/sessions/{session['id']}")
    return {"answers": answers}


async def many_viewers(target: Target, dice: random.Random, count: int) -> dict:
    """More viewers at once than a session has places for."""
    async with client(target) as http:
        session = await begin(http)

        async def watch() -> str:
            async with http.stream("GET", session["stream"]) as answer:
                await asyncio.sleep(1)
                return str(answer.status_code)

        answers = Counter(await asyncio.gather(*(watch() for _ in range(count))))
        await http.delete(f"/v1/sessions/{session['id']}")
    return {"answers": answers}


async def broken_messages(target: Target, dice: random.Random, count: int) -> dict:
    """Messages to sockets that make no sense, sockets opened again as often as they are closed."""
    events = ['{"type": "segment.end"}', '{"type": "interrupt"}', '{"type": "session.update", "yaw": 3, "blink": null}']
    odd = ['{"type": "session.update", "yaw": NaN}', '{"type": "session.update", "sample_rate": 1e400}', "[" * 9000]
    odd += ['{"type": "session.update", "blink": true}', '{"type": "\\u0000"}', '{"type":' + "9" * 5000 + "}", "null"]
    closed, sent = Counter(), 0
    async with client(target) as http:
        session = await begin(http)
        address = f"ws://127.0.0.1:{target.port}{session['socket']}"
        while sent < count:
            try:
                async with websockets.connect(address, proxy=None) as talking:
                    for _ in range(200):
                        text = dice.choice(odd) if dice.random() < 0.2 else mutated(dice.choice(events).encode(), dice)
                        pcm = dice.randbytes(dice.choice([0, 1, 2, 639, 1280, 200_000]))
                        await talking.send(pcm if dice.random() < 0.2 else text)
                        sent += 1
                closed["1000"] += 1
            except websockets.ConnectionClosed as over:
                closed[str(over.rcvd.code) if over.rcvd else "cut"] += 1
            except websockets.InvalidStatus as refused:
                closed[str(refused.response.status_code)] += 1
                break
        await http.delete(f"/v1/sessions/{session['id']}")
    return {"messages": sent, "answers": closed}


def opening(path: str, target: Target) -> bytes:
    """The request that opens a socket or a stream."""
    if path.endswith("socket"):
        return OPENING % (path.encode(), target.port)
    return b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode()


async def vanishing(target: Target, dice: random.Random, count: int) -> dict:
    """Clients that begin, watch or talk, and are gone."""
    async with client(target) as http:
        for _ in range(count):
            session = await begin(http)
            for path in (session["socket"], session["stream"]):
                reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
                writer.write(opening(path, target))
                await reader.read(dice.choice([1, 100, 3000]))
                writer.transport.abort()
            await http.delete(f"/v1/sessions/{session['id']}")
    return {"clients": 2 * count}


async def deaf_clients(target: Target, dice: random.Random, count: int) -> dict:
    """A viewer and a socket that never read; the socket sends pings all the while."""
    async with client(target) as http:
        session, held, sent = await begin(http), [], 0
        for path in (session["stream"], session["socket"]):
            quiet = socket.socket()
            quiet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            quiet.setblocking(False)
            await asyncio.get_running_loop().sock_connect(quiet, ("127.0.0.1", target.port))
            quiet.send(opening(path, target))
            held.append(quiet)
        await asyncio.sleep(0.5)
        ping, until = (b"\x89\xfd\x00\x00\x00\x00" + b"x" * 125) * 100, time.monotonic() + 8
        while time.monotonic() < until:
            with suppress(BlockingIOError, ConnectionError):
                sent += quiet.send(ping)
            await asyncio.sleep(0.001)
        most = target.megabytes()
        for quiet in held:
            quiet.close()
        await http.delete(f"/v1/sessions/{session['id']}")
    return {"sent_mb": round(sent / 1e6), "mb_meanwhile": round(most)}


async def strangers_addresses(target: Target, dice: random.Random, count: int) -> dict:
    """An offer that names addresses of others: how many packets reach them within three seconds."""
    loop, got = asyncio.get_running_loop(), []
    listeners = []
    for _ in range(count):
        transport, _ = await loop.create_datagram_endpoint(lambda: _Listener(got), local_addr=("127.0.0.1", 0))
        listeners.append(transport)
    ports = [transport.get_extra_info("sockname")[1] for transport in listeners]
    named = "".join(f"a=candidate:{port} 1 udp 2130706431 127.0.0.1 {port} typ host\r\n" for port in ports)
    own = [line for line in (await an_offer()).splitlines(keepends=True) if not line.startswith("a=candidate")]
    offer = "".join(named + line if line.startswith("a=ice-ufrag") else line for line in own)
    async with client(target) as http:
        session = await begin(http)
        answer = await http.post(session["whep"], content=offer, headers=SDP)
        await asyncio.sleep(3)
        await http.delete(f"/v1/sessions/{session['id']}")
    for transport in listeners:
        transport.close()
    return {"answers": Counter([str(answer.status_code)]), "packets": len(got)}


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, got: list[bytes]) -> None:
        self._got = got

    def datagram_received(self, data: bytes, addr: tuple) -> None:
        self._got.append(data)


async def noise(target: Target, dice: random.Random, count: int) -> dict:
    """Packets of noise, and of almost STUN and DTLS, to the port at which a viewer is awaited."""
    async with client(target) as http:
        session = await begin(http)
        answer = (await http.post(session["whep"], content=await an_offer(), headers=SDP)).text
        named = [line.split()[4:6] for line in answer.splitlines() if line.startswith("a=candidate")]
        places = [(host, port) for host, port in named if ":" not in host]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for k in range(count if places else 0):
                host, port = dice.choice(places)
                head = dice.choice(
                    [b"", b"\x00\x01\x00\x08\x21\x12\xa4\x42" + b"x" * 12, b"\x16\xfe\xfd" + bytes(8), b"\x80\xc8"]
                )
                sender.sendto(head + dice.randbytes(dice.randrange(1200)), (host, int(port)))
                if k % 50 == 0:
                    await asyncio.sleep(0.001)
        most = target.megabytes()
        await http.delete(f"/v1/sessions/{session['id']}")
    return {"packets": count if places else 0, "mb_meanwhile": round(most)}


ATTACKS: dict[str, tuple[Callable[[Target, random.Random, int], Awaitable[dict]], int]] = {
    "half requests": (half_requests, 1400),
    "bodies byte by byte": (slow_bodies, 50),
    "small answers": (small_answers, 100),
    "broken requests": (broken_requests, 600),
    "broken offers": (broken_offers, 400),
    "viewers that are odd": (odd_viewers, 80),
    "viewers at once": (many_viewers, 12),
    "broken messages": (broken_messages, 4000),
    "clients that vanish": (vanishing, 100),
    "clients that do not read": (deaf_clients, 1),
    "addresses of others": (strangers_addresses, 20),
    "noise by UDP": (noise, 20_000),
}


async def attack(target: Target, seed: int, only: tuple[str, ...], rounds: int) -> list[dict]:
    """A row for each attack of each round: answers, and what the server was before and after it."""
    ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    rows = []
    for name, (does, count) in [*ATTACKS.items()] * rounds:
        if only and name not in only:
            continue
        before, said = (target.megabytes(), target.descriptors()), len(target.logged())
        try:
            found = await does(target, random.Random(f"{seed} {len(rows)} {name}"), count)
        except (httpx.HTTPError, OSError) as error:
            found = {"failed": f"{type(error).__name__}: {error}"}
        await asyncio.sleep(1)
        log = target.logged()[said:]
        healthy = target.alive and await raw(target, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == "200"
        rows.append(
            {
                "attack": name,
                **{key: dict(value) if isinstance(value, Counter) else value for key, value in found.items()},
                "mb": [round(before[0], 1), round(target.megabytes(), 1)],
                "fds": [before[1], target.descriptors()],
                "log_bytes": len(log),
                "tracebacks": log.count("Traceback"),
                "healthy": healthy,
            }
        )
        sys.stderr.write(json.dumps(rows[-1]) + "\n")
    return rows


def run(seed: int, rounds: int = 1, only: tuple[str, ...] = ()) -> list[dict]:
    """A row for each attack; in further rounds the same again with other dice, so that what is not given back shows."""
    with tempfile.TemporaryDirectory() as folder, Target(Path(folder)) as target:
        return asyncio.run(attack(target, seed, only, rounds))
