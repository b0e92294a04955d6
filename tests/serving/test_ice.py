"""What an offer can make the server do on the network."""

import asyncio
import re
import socket

import pytest
from aioice import stun
from aiortc import RTCConfiguration, RTCPeerConnection
from live import Server, on_loopback, serving

from gaussiantalker.serving.ice import tamed
from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.problems import Problem


async def an_offer(*kinds: str) -> str:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in kinds or ("audio", "video"):
        peer.addTransceiver(kind, direction="recvonly")
    with on_loopback():
        await peer.setLocalDescription(await peer.createOffer())
    await peer.close()
    return peer.localDescription.sdp


def naming(offer: str, *candidates: str) -> str:
    """The offer with these candidates, and no other."""
    lines = [line for line in offer.splitlines() if not line.startswith(("a=candidate", "a=end-of"))]
    named = [f"a=candidate:{k} 1 udp 2130706431 {name} typ host" for k, name in enumerate(candidates)]
    at = next(k for k, line in enumerate(lines) if line.startswith("a=ice-ufrag"))
    return "\r\n".join([*lines[:at], *named, *lines[at:]]) + "\r\n"


async def watch(server: Server, offer: str) -> str:
    session = await server.begin()
    with on_loopback():
        answer = await server.http.post(session["whep"], content=offer, headers={"Content-Type": "application/sdp"})
    assert answer.status_code == 201, answer.text
    return answer.text


def packets(limits: Limits) -> int:
    """How many reach twenty addresses that an offer names, within a second and a half."""

    async def live() -> int:
        listeners = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
            listener.setblocking(False)
        named = [f"127.0.0.1 {listener.getsockname()[1]}" for listener in listeners]
        async with serving(limits=limits) as server:
            await watch(server, naming(await an_offer(), *named))
            await asyncio.sleep(1.5)
        got = 0
        for listener in listeners:
            with listener:
                try:
                    got += bool(listener.recv(2000))
                except BlockingIOError:
                    pass
        return got

    return asyncio.run(live())


def test_nothing_is_sent_to_addresses_that_an_offer_names() -> None:
    assert packets(Limits()) == 0


def test_with_the_switch_a_few_are_written_to() -> None:
    assert packets(Limits(candidates=3)) == 3


def test_names_and_what_is_nobodys_address_are_left_out() -> None:
    offer = asyncio.run(an_offer())
    odd = ("x.local 9", "224.0.0.251 5353", "0.0.0.0 9", "255.255.255.255 9", "ff02::fb 5353", "", "example.org 80")
    kept = tamed(naming(offer, *odd, "192.0.2.7 9"), 8)
    assert [line for line in kept.splitlines() if line.startswith("a=candidate")] == [
        "a=candidate:7 1 udp 2130706431 192.0.2.7 9 typ host"
    ]
    hidden = offer.replace("a=ice-ufrag", "a=x\x0ba=candidate:1 1 udp 1 192.0.2.7 9 typ host\x0ba=ice-ufrag", 1)
    assert "candidate" not in tamed(hidden, 0), "aiortc divides lines there, too"


def test_offers_of_more_streams_or_groups_that_are_not_there_are_refused() -> None:
    offer = asyncio.run(an_offer())
    twice = asyncio.run(an_offer("audio", "audio"))
    data = offer + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n"
    bundled = offer.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 7 1")
    open_ = "".join(line for line in offer.splitlines(keepends=True) if "fingerprint" not in line)
    assert bundled != offer
    for bad in (twice, data, bundled, open_, "v=0\r\n"):
        with pytest.raises(Problem, match="not an SDP offer"):
            tamed(bad, 0)


def test_strangers_packets_are_bounded_and_harmless(caplog: pytest.LogCaptureFixture) -> None:
    """Noise before anybody got through is dropped beyond a bound; a check needs its password, and few may come."""

    def check(sdp: str, **attributes: int) -> bytes:
        said = dict(line[2:].split(":", 1) for line in sdp.splitlines() if line.startswith("a=ice-"))
        message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{said['ice-ufrag']}:them"
        message.attributes |= {"ICE-CONTROLLING": 1, **attributes}
        message.add_message_integrity(said["ice-pwd"].encode())
        return bytes(message)

    async def live() -> tuple[int, int]:
        async with serving(limits=Limits(correspondents=3, datagrams=50)) as server:
            answer = await watch(server, re.sub("(?<=a=ice-ufrag:).*(?=\r)", "them", await an_offer()))
            port = int(next(line for line in answer.splitlines() if line.startswith("a=candidate")).split()[5])
            (call,) = server.sessions._calls.values()
            connection = call._peer.getTransceivers()[0].receiver.transport.transport._connection
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
                for _ in range(500):
                    noisy.sendto(b"\x80noise", ("127.0.0.1", port))
                noisy.sendto(check(answer), ("127.0.0.1", port))  # it lacks its priority
            for _ in range(10):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                    other.sendto(check(answer, PRIORITY=5), ("127.0.0.1", port))
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            return connection._queue.qsize(), len(connection.remote_candidates)

    waiting, correspondents = asyncio.run(live())
    assert waiting == 50 and correspondents == 3
    assert "Traceback" not in caplog.text and not [record for record in caplog.records if record.exc_info]
