"""Watching over WebRTC, with aiortc as the client."""

import asyncio
import random

import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from flash_and_beep import BRIGHT, DARK, FlashAndBeep, beeps
from live import Server, Watcher, heard, on_loopback, pcm16, serving, watching

from gaussiantalker.serving.call import _video_codec
from gaussiantalker.serving.limits import Limits


async def nobody_watches(server: Server, session: dict) -> None:
    """Returns when the session has no viewer any more."""
    while server.sessions.find(session["id"])._places:
        await asyncio.sleep(0.02)


def watch_speech(size: int = 64) -> Watcher:
    async def live() -> Watcher:
        async with serving(avatar=FlashAndBeep(size)) as server:
            session = await server.begin()
            async with server.socket(session) as socket, watching(server, session) as watcher:
                while not watcher.pictures:
                    await asyncio.sleep(0.02)
                await socket.send(pcm16(beeps(0.6, every=0.6, length=0.24)))
                await socket.send('{"type": "segment.end"}')
                await heard(socket, "speech.ended")
                await asyncio.sleep(0.2)
            return watcher

    return asyncio.run(live())


def test_what_is_said_is_seen_and_heard() -> None:
    watcher = watch_speech()
    bright = [image.mean() for _, image in watcher.pictures]
    loud = [np.abs(samples).max() for _, samples in watcher.sounds]
    assert min(bright) < DARK + 5 and max(bright) > BRIGHT - 5, "where the machine is busy some may be missing"
    assert 12 <= sum(level > 0.2 for level in loud) <= 14, "0.24 s in packets of 20 ms"
    assert _video_codec(watcher.answer) == "H264"


def test_odd_sizes_are_made_even() -> None:
    assert watch_speech(33).pictures[0][1].shape == (34, 34, 3)


def test_one_without_h264_gets_vp8() -> None:
    async def live() -> Watcher:
        async with serving(avatar=FlashAndBeep(64)) as server:
            async with watching(server, await server.begin(), "video/VP8") as watcher:
                while not watcher.pictures:
                    await asyncio.sleep(0.02)
            return watcher

    watcher = asyncio.run(live())
    assert _video_codec(watcher.answer) == "VP8" and abs(watcher.pictures[0][1].mean() - DARK) < 5


def test_leaving_frees_the_place_and_the_session_goes_on() -> None:
    async def live() -> list[int]:
        async with serving(limits=Limits(viewers=1)) as server:
            session = await server.begin()
            answers = []
            async with watching(server, session) as watcher:
                answers.append(await offer(server, session))
                answers.append(await server.http.get(session["stream"]))
                answers.append(await server.http.delete(watcher.location))
                await nobody_watches(server, session)
            async with watching(server, session) as watcher:  # this one leaves without a word
                while not watcher.sounds:
                    await asyncio.sleep(0.02)
            await nobody_watches(server, session)
            answers.append(await offer(server, session))
            return [answer.status_code for answer in answers]

    assert asyncio.run(live()) == [429, 429, 204, 201]


def test_one_who_never_gets_through_loses_the_place() -> None:
    async def live() -> None:
        async with serving(limits=Limits(viewers=1, connect_seconds=0.3)) as server:
            session = await server.begin()
            assert (await offer(server, session)).status_code == 201
            await nobody_watches(server, session)

    asyncio.run(live())


def test_one_viewer_too_many_is_told_so_however_many_ask_at_once() -> None:
    async def live() -> list[int]:
        async with serving(limits=Limits(viewers=2)) as server:
            session = await server.begin()

            async def look() -> int:
                async with server.http.stream("GET", session["stream"]) as answer:
                    await asyncio.sleep(0.5)
                    return answer.status_code

            statuses = await asyncio.gather(*(look() for _ in range(5)))
            await nobody_watches(server, session)
            return sorted(statuses)

    assert asyncio.run(live()) == [200, 200, 429, 429, 429]


def test_offers_that_are_twisted_are_answered_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def live() -> set[int]:
        async with serving() as server:
            session, dice = await server.begin(), random.Random(0)
            good = (await an_offer()).splitlines(keepends=True)
            statuses = set()
            for _ in range(60):
                lines = list(good)
                at = dice.randrange(len(lines))
                cut = lines[at][: dice.randrange(len(lines[at]))]
                lines[at : at + 1] = dice.choice([[], [lines[at]] * 2, [f"{cut}\r\n"], [f"{cut}-1 99999999999\r\n"]])
                answer = await post(server, session, "".join(lines))
                statuses.add(answer.status_code)
                if answer.status_code == 201:
                    await server.http.delete(answer.headers["location"])
            return statuses

    assert asyncio.run(live()) == {201, 400}
    assert not [record for record in caplog.records if record.exc_info]


def test_what_is_no_offer_is_refused_and_leaves_nothing_behind() -> None:
    async def live() -> list[httpx.Response]:
        async with serving(limits=Limits(viewers=1)) as server:
            session = await server.begin()
            answers = []
            for content in ("", "garbage", "v=0\r\nm=video", "v=0\r\n" + "a=candidate:x\r\n" * 50, b"\xff\x00"):
                headers = {"Content-Type": "application/sdp"}
                answers.append(await server.http.post(session["whep"], content=content, headers=headers))
                await nobody_watches(server, session)
            answers.append(await server.http.post(session["whep"], content="{}"))
            return answers

    *refused, untyped = asyncio.run(live())
    assert {answer.status_code for answer in refused} == {400}
    assert "offer" in refused[0].json()["detail"] and untyped.status_code == 415


async def offer(server: Server, session: dict) -> httpx.Response:
    """The response to an offer that nobody follows up."""
    return await post(server, session, await an_offer())


async def post(server: Server, session: dict, sdp: str) -> httpx.Response:
    with on_loopback():
        return await server.http.post(session["whep"], content=sdp, headers={"Content-Type": "application/sdp"})


async def an_offer() -> str:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in ("audio", "video"):
        peer.addTransceiver(kind, direction="recvonly")
    with on_loopback():
        await peer.setLocalDescription(await peer.createOffer())
        await peer.close()
    return peer.localDescription.sdp
