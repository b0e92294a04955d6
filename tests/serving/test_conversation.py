"""What is said over the socket, and what is said back."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
import websockets
from flash_and_beep import FlashAndBeep, beeps
from hearing import NAMES, a_mouth_listener
from live import Server, heard, pcm16, serving

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.image import write_image
from gaussiantalker.serving.conversation import Conversation
from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.server import _named
from gaussiantalker.speaking import Background


def talk(live: Callable[[Server, dict, websockets.ClientConnection], Awaitable], **options):
    """What `live` returns, given a server, a session and its socket."""

    async def run():
        async with serving(**options) as server:
            session = await server.begin()
            async with server.socket(session) as socket:
                return await live(server, session, socket)

    return asyncio.run(run())


def session_of(server: Server, facts: dict):
    return server.sessions.find(facts["id"])


def test_speech_begins_and_ends_with_events() -> None:
    async def live(server: Server, facts: dict, socket) -> tuple:
        with session_of(server, facts).watch() as frames:
            await socket.send(pcm16(beeps(1.3)))
            await socket.send('{"type": "segment.end"}')
            begun, metrics, ended = [
                await heard(socket, kind) for kind in ("speech.started", "metrics", "speech.ended")
            ]
            first = [await anext(frames) for _ in range(33)]
            return begun, metrics, ended, first

    begun, metrics, ended, frames = talk(live)
    assert begun["position"] == 0
    assert (ended["position"], ended["interrupted"]) == (pytest.approx(1.32), False)
    assert ended["at"] - begun["at"] == pytest.approx(1.32)
    assert metrics["fps"] >= 1 and metrics["render_ms"]["p95"] >= 0 and metrics["playback_latency_ms"] is not None
    sound = np.concatenate([frame.samples for frame in frames if frame.segment == 0])
    np.testing.assert_allclose(sound[:4], beeps(1.3)[:4], atol=1e-4)


def test_an_interrupt_tells_how_much_was_heard() -> None:
    async def live(server: Server, facts: dict, socket) -> tuple:
        with session_of(server, facts).watch():
            await socket.send(pcm16(np.full(80_000, 0.3)))
            begun = await heard(socket, "speech.started")
            await asyncio.sleep(0.3)
            await socket.send('{"type": "interrupt"}')
            ended = await heard(socket, "speech.ended")
            level = await heard(socket, "buffer.level")
            await socket.send('{"type": "interrupt"}')
            await socket.send(pcm16(beeps(0.7)))
            return begun, ended, level, await heard(socket, "speech.started")

    begun, ended, level, again = talk(live)
    assert ended["interrupted"] and 0.04 <= ended["position"] < 2
    assert level["seconds"] == 0
    assert again["at"] >= begun["at"] + ended["position"]


def test_steering_and_another_rate() -> None:
    async def live(server: Server, facts: dict, socket) -> tuple:
        session = session_of(server, facts)
        await socket.send('{"type": "session.update", "yaw": 12.5, "blink": 0.5, "articulation": 1.3}')
        await socket.send('{"type": "session.update", "sample_rate": 48000}')
        await socket.send(pcm16(np.zeros(4_800)))
        await socket.send('{"type": "session.update", "blink": null}')
        await socket.send('{"type": "nonsense"}')
        await heard(socket, "error")
        return session.stream.steering, session.stream.buffered

    steering, buffered = talk(live)
    assert (steering.yaw, steering.pitch, steering.blink, steering.articulation) == (12.5, 0, None, 1.3)
    assert buffered == pytest.approx(0.1, abs=0.02)


def test_a_mouth_by_its_scores() -> None:
    """Held until another comes, or null; one that is none changes nothing, of the head neither."""

    class Mouth(FlashAndBeep):
        def __init__(self) -> None:
            super().__init__()
            self.listener = a_mouth_listener()

    async def live(server: Server, facts: dict, socket) -> list:
        told, steering = [facts["mouth"]], session_of(server, facts).stream.steering
        for mouth in ({"jawOpen": 0.22}, {"jawOpne": 0.1}, {"eyeBlinkLeft": 1}, {"jawOpen": 3}, {}, "wide", None):
            await socket.send(json.dumps({"type": "session.update", "yaw": len(told), "mouth": mouth}))
            await socket.send('{"type": "nonsense"}')
            errors = [await heard(socket, "error")]
            while "nonsense" not in errors[-1]["detail"]:
                errors.append(await heard(socket, "error"))
            jaw = None if steering.mouth is None else steering.mouth[1]
            told.append(([error["title"] for error in errors[:-1]], steering.yaw, jaw))
        return told

    wrong, unlike = (["No such mouth"], 1, 2.0), (["Not an event"], 1, 2.0)
    expected = [([], 1, 2.0), wrong, wrong, unlike, unlike, unlike, ([], 7, None)]
    assert talk(live, avatar=Mouth()) == [list(NAMES), *expected]


def test_an_avatar_without_a_mouth_code_says_so() -> None:
    async def live(server: Server, facts: dict, socket) -> tuple:
        await socket.send('{"type": "session.update", "mouth": {"jawOpen": 0.2}}')
        return facts["mouth"], (await heard(socket, "error"))["detail"]

    names, detail = talk(live)
    assert names == [] and "no mouth code" in detail


def test_backgrounds_are_colours_or_the_servers_own_files(tmp_path) -> None:
    class Cut(FlashAndBeep):
        def before(self, background: Background) -> Background:
            return background

    write_image(tmp_path / "office.png", np.full((16, 16, 3), 77, np.uint8))
    write_image(tmp_path / "secret.png", np.full((16, 16, 3), 88, np.uint8))

    async def live(server: Server, facts: dict, socket) -> list:
        found, steering = [], session_of(server, facts).stream.steering
        assert (await server.http.get("/v1/backgrounds")).json() == {"backgrounds": ["office"]}
        for name in ("office", "#102030", "transparent", str(tmp_path / "secret.png"), "secret", None):
            await socket.send(json.dumps({"type": "session.update", "yaw": 3, "background": name}))
            await socket.send('{"type": "nonsense"}')
            errors = [await heard(socket, "error")]
            while errors[-1]["title"] != "Not an event":
                errors.append(await heard(socket, "error"))
            found.append((len(errors) - 1, steering.background and steering.background.picture[0, 0].tolist()))
        return found

    office, blue = [77, 77, 77], [16, 32, 48]
    found = talk(live, avatar=Cut(), backgrounds=_named([tmp_path / "office.png"]))
    assert found == [(0, office), (0, blue), (1, blue), (1, blue), (1, blue), (0, None)]


def test_backgrounds_of_a_server_are_looked_at_first(tmp_path) -> None:
    write_image(tmp_path / "a.png", np.zeros((16, 16, 3), np.uint8))
    write_image(tmp_path / "a.jpg", np.zeros((16, 16, 3), np.uint8))
    (tmp_path / "b.png").write_text("none")
    for paths, words in (
        ((tmp_path / "a.png", tmp_path / "a.jpg"), "Two backgrounds are called a"),
        ((tmp_path / "b.png",), "neither a picture nor a video"),
        ((tmp_path / "green",), "does not exist"),
    ):
        with pytest.raises(GaussianTalkerError, match=words):
            _named(paths)


def test_what_is_not_agreed_is_answered_and_does_no_harm() -> None:
    mistakes = (
        "",
        "garbage",
        "[]",
        "null",
        '{"type": "no.such"}',
        '{"type": "segment.end", "more": 1}',
        '{"type": "session.update", "yaw": NaN}',
        '{"type": "session.update", "yaw": 1e999}',
        '{"type": "session.update", "sample_rate": 7}',
        '{"type": "session.update", "blink": 3}',
        '{"type": "session.update", "articulation": 3}',
        b"\x01",
    )

    async def live(server: Server, facts: dict, socket) -> list[dict]:
        for message in mistakes:
            await socket.send(message)
            await socket.send(pcm16(np.zeros(160)))
        errors = [await heard(socket, "error") for _ in mistakes]
        assert session_of(server, facts).stream.buffered >= 0.01 * (len(mistakes) - 1)
        return errors

    for error in talk(live):
        assert error["title"] and error["detail"].endswith(".")


def test_sound_faster_than_life_is_taken_up_to_a_bound_and_then_refused() -> None:
    async def live(server: Server, facts: dict, socket) -> tuple:
        for _ in range(30):
            await socket.send(pcm16(np.zeros(1_600)))
        errors = [await heard(socket, "error")]
        buffered = session_of(server, facts).stream.buffered
        await socket.send('{"type": "interrupt"}')
        await heard(socket, "buffer.level")
        await socket.send(pcm16(np.zeros(1_600)))
        await socket.send("{}")
        errors.append(await heard(socket, "error"))
        return errors, buffered, session_of(server, facts).stream.buffered

    errors, buffered, after = talk(live, limits=Limits(buffered_seconds=2.0))
    assert buffered == pytest.approx(2.0)
    assert [error["title"] for error in errors] == ["Too much sound", "Not an event"]
    assert after == pytest.approx(0.1)


def test_crumbs_of_sound_do_not_pile_up() -> None:
    async def live(server: Server, facts: dict, socket) -> int:
        for _ in range(20):
            await socket.send(b"\0\0")
            await socket.send('{"type": "segment.end"}')
        assert (await heard(socket, "error"))["title"] == "Too much sound"
        return session_of(server, facts).stream.waiting

    assert talk(live, limits=Limits(segments=5)) == 6


@pytest.mark.parametrize(
    ("messages", "code"),
    [(["x" * 66_560], 1009), ([b"\0" * 300_000], 1009), (["?"] * 30, 1008)],
    ids=["a 65 KB event", "300 KB of sound", "nothing but garbage"],
)
def test_a_socket_that_is_misused_is_closed(messages: list, code: int) -> None:
    async def live(server: Server, facts: dict, socket) -> int:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            for message in messages:
                await socket.send(message)
            while True:
                await socket.recv()
        async with server.socket(facts) as another:
            await another.send("{}")
            await heard(another, "error")
        return closed.value.rcvd.code

    assert talk(live) == code


def test_a_socket_is_told_why_it_is_closed() -> None:
    async def live(server: Server, facts: dict, socket) -> list[str]:
        await server.http.delete(f"/v1/sessions/{facts['id']}")
        reasons = []
        for connection in (socket, await server.socket(facts)):
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    json.loads(await connection.recv())
            reasons.append(closed.value.rcvd.reason)
        return reasons

    assert talk(live) == ["The session was closed.", "There is no such session; it may have ended."]


def test_a_session_has_few_sockets() -> None:
    async def live(server: Server, facts: dict, socket) -> str:
        async with server.socket(facts) as another:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await another.recv()
        return closed.value.rcvd.reason

    assert "1 sockets" in talk(live, limits=Limits(sockets=1))


def test_a_client_that_reads_nothing_does_not_outlive_its_session() -> None:
    class Stuck:
        """A socket whose other end neither reads nor writes."""

        async def receive(self) -> None:
            await asyncio.Event().wait()

        send_json = close = receive

    async def live(server: Server, facts: dict, socket) -> None:
        session = session_of(server, facts)
        talking = asyncio.create_task(Conversation(session, Stuck()).run())
        await asyncio.sleep(0)
        for _ in range(210):
            session.interrupt()
        await server.http.delete(f"/v1/sessions/{facts['id']}")
        await talking

    talk(live)


class Voice:
    """Hums a second for each word; waits to be allowed each but the first."""

    rate = 24_000

    def __init__(self) -> None:
        self.allowed, self.made = threading.Semaphore(1), 0

    def say(self, text: str):
        if text == "unspeakable":
            raise GaussianTalkerError("There is nothing in this text that can be spoken: it holds no words.")
        for _ in text.split():
            assert self.allowed.acquire(timeout=60)
            self.made += 1
            yield np.full(self.rate, 0.3, np.float32)


def test_a_text_is_heard_before_it_is_made_to_its_end() -> None:
    voice = Voice()

    async def live(server: Server, facts: dict, socket) -> tuple:
        assert facts["reads"]
        with session_of(server, facts).watch():
            await socket.send('{"type": "say", "text": "one two three"}')
            await heard(socket, "speech.started")
            made = voice.made
            voice.allowed.release(3)
            ended = await heard(socket, "speech.ended")
            await socket.send('{"type": "say", "text": "unspeakable"}')
            return made, ended, await heard(socket, "error")

    made, ended, error = talk(live, voice=voice)
    assert made == 1 and voice.made == 3
    assert (ended["position"], ended["interrupted"]) == (pytest.approx(3.0), False)
    assert "no words" in error["detail"]


def test_an_interrupt_forgets_texts_and_sound_is_refused_while_one_is_read() -> None:
    voice = Voice()

    async def live(server: Server, facts: dict, socket) -> tuple:
        with session_of(server, facts).watch():
            await socket.send('{"type": "say", "text": "one two three"}')
            await socket.send('{"type": "say", "text": "four"}')
            await heard(socket, "speech.started")
            await socket.send(pcm16(beeps(0.7)))
            refused = await heard(socket, "error")
            await socket.send('{"type": "interrupt"}')
            await heard(socket, "speech.ended")
            voice.allowed.release(1)
            await socket.send(pcm16(beeps(0.7)))
            await socket.send('{"type": "segment.end"}')
            await heard(socket, "speech.started")
            return refused, await heard(socket, "speech.ended")

    refused, ended = talk(live, voice=voice)
    assert "wait until the text is read" in refused["detail"]
    assert ended["position"] == pytest.approx(0.72) and not ended["interrupted"]
    assert voice.made <= 2


def test_texts_are_bounded_and_need_a_voice() -> None:
    async def live(server: Server, facts: dict, socket) -> list[str]:
        told = []
        for text in ("x" * 5000, "one two three", "four", "five"):
            await socket.send(json.dumps({"type": "say", "text": text}))
        for _ in range(2 if facts["reads"] else 4):
            told.append((await heard(socket, "error"))["detail"])
        return told

    assert talk(live, voice=Voice(), limits=Limits(texts=2)) == [
        "A text may have 4,000 characters at most.",
        "A text was refused: 2 of them may wait to be read.",
    ]
    assert talk(live) == ["This server reads no texts: it was started without --voice."] * 4
