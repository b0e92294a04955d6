"""An avatar that its client draws: the socket tells what its pictures are drawn from, in step with the sound."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
import websockets
from hearing import noise
from live import Server, heard, pcm16, serving
from puppet import BASES, a_puppet

from gaussiantalker.export.compact import compact
from gaussiantalker.serving.coefficients import HEADER
from gaussiantalker.serving.limits import Limits
from gaussiantalker.speaking import CoefficientAvatar, FrameStream
from gaussiantalker.talker import render
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

WANTED = {"shows": "coefficients"}
SOUND = noise(0.8)


class Told(NamedTuple):
    """A message, read as docs/live.md says."""

    frame: int
    utterance: int
    pose: np.ndarray
    coefficients: np.ndarray
    samples: np.ndarray
    size: int

    @classmethod
    def read(cls, message: bytes) -> "Told":
        frame, utterance, count, samples = HEADER.unpack_from(message)
        pose = np.frombuffer(message, "<f4", 12, HEADER.size)
        told = np.frombuffer(message, "<f2", count, HEADER.size + 48).astype(float)
        said = np.frombuffer(message, "<i2", samples, HEADER.size + 48 + 2 * count)
        return cls(frame, utterance, pose, told, said, len(message))


def talk(live: Callable[[Server, dict], Awaitable], **options):
    async def run():
        async with serving(**{"avatar": a_puppet(), **options}) as server:
            answer = await server.http.post("/v1/sessions", json=WANTED)
            return await live(server, answer.json())

    return asyncio.run(run())


def of(session: dict, query: str = "") -> dict:
    """The session, its socket being that of the coefficients."""
    return session | {"socket": session["coefficients"] + query}


async def gathered(socket, told: list[Told]) -> None:
    while True:
        told.append(Told.read(await socket.recv()))


def say(query: str = "") -> tuple[list[Told], int]:
    """What is told of an utterance, on a busy machine perhaps not of all its frames; and the number of its first."""

    async def live(server: Server, session: dict) -> tuple[list[Told], int]:
        told: list[Told] = []
        async with server.socket(session) as events, server.socket(of(session, query)) as socket:
            gathering = asyncio.create_task(gathered(socket, told))
            await events.send(pcm16(SOUND))
            await events.send('{"type": "segment.end"}')
            began = await heard(events, "speech.started")
            await heard(events, "speech.ended")
            gathering.cancel()
        return [one for one in told if one.utterance >= 0], round(began["at"] * FPS)

    return talk(live)


def test_what_is_told_is_what_pictures_are_drawn_from() -> None:
    """The pictures that the avatar itself makes, from nothing but the numbers that were told; on a busy machine perhaps
    those of a frame shortly before."""
    (told, first), avatar = say(), a_puppet()
    assert told
    coefficients = torch.from_numpy(np.array([one.coefficients for one in told])).float()
    poses = torch.eye(4).repeat(len(told), 1, 1)
    poses[:, :3] = torch.from_numpy(np.array([one.pose for one in told])).unflatten(1, (3, 4))
    with torch.inference_mode():
        splats = avatar.blendshapes.twin(coefficients[:, :BASES], poses)
        behind = avatar.torso(coefficients[:, BASES:])
        drawn, _, _ = render(splats, poses, torch.from_numpy(avatar.camera.K).float(), behind, 0, None)
    heard = avatar.listener.hear((SOUND * 32767).astype("<i2").astype(np.float32) / 32768)
    for one, picture in zip(told, drawn, strict=True):
        frames = range(max(one.frame - 3, first), one.frame + 1)
        truths = np.stack([next(iter(avatar.perform(heard[[frame - first]], frame))) for frame in frames])
        errors = np.square(255 * picture.clamp(0, 1).numpy() - truths).mean(axis=(1, 2, 3))
        assert np.sqrt(errors.min()) < 3  # the watermark, and half precision


def test_a_frame_has_few_bytes_and_its_time() -> None:
    told, first = say()
    assert told and all(first <= one.frame < first + 20 and one.utterance == 0 for one in told)
    assert {len(one.coefficients) for one in told} == {BASES + a_puppet().torso.numbers}
    assert max(one.size for one in told) < 300 and not any(len(one.samples) for one in told)


def test_sound_comes_along_where_it_is_wanted() -> None:
    told, first = say("?sound=true")
    assert told
    for one in told:
        truth = SOUND[SAMPLES_PER_FRAME * (one.frame - first) :][:SAMPLES_PER_FRAME]
        assert np.abs(one.samples / 32767 - truth).max() < 1e-3


def test_it_steers_like_pictures() -> None:
    async def live(server: Server, session: dict) -> tuple[np.ndarray, np.ndarray]:
        async with server.socket(session) as events, server.socket(of(session)) as socket:
            before = Told.read(await socket.recv()).pose
            await events.send('{"type": "session.update", "yaw": 30}')
            for _ in range(FPS):
                after = Told.read(await socket.recv()).pose
            return before, after

    before, after = talk(live)
    assert np.abs(after[:9] - before[:9]).max() > 0.2


def test_a_session_shows_what_it_was_begun_for() -> None:
    async def live(server: Server, session: dict) -> None:
        assert session["shows"] == "coefficients"
        assert (await server.http.get(session["stream"])).status_code == 409
        pictures = await server.begin()
        async with server.socket(of(pictures)) as socket:
            with pytest.raises(websockets.ConnectionClosed, match="shows pictures"):
                await socket.recv()
        assert (await server.http.post("/v1/sessions", json={"shows": "films"})).status_code == 422

    talk(live)


def test_who_draws_takes_no_place_from_who_watches() -> None:
    async def live(server: Server, session: dict) -> list[int]:
        wishes = [WANTED, WANTED, {}, {}]
        answers = [await server.http.post("/v1/sessions", json=wish) for wish in wishes]
        return [answer.status_code for answer in answers]

    assert talk(live, limits=Limits(sessions=1, puppets=2)) == [201, 503, 201, 503]


def test_an_avatar_of_pictures_says_so() -> None:
    async def live(server: Server, session: dict) -> None:
        assert session["status"] == 422 and "only be shown as pictures" in session["detail"]

    talk(live, avatar=replace(a_puppet(), blendshapes=None))


def test_what_is_drawn_with_can_be_fetched() -> None:
    async def live(server: Server, session: dict) -> None:
        file = await server.http.get("/v1/avatars/flash/file")
        assert file.status_code == 200 and file.content == compact(a_puppet())
        assert (await server.http.get("/v1/avatars/nobody/file")).status_code == 404
        assert (await server.http.get("/player/renderer.js")).status_code == 200

    talk(live)


def test_a_socket_that_only_tells_takes_no_word() -> None:
    async def live(server: Server, session: dict) -> None:
        async with server.socket(of(session)) as socket:
            await socket.send("hello")
            with pytest.raises(websockets.ConnectionClosed, match="only tells"):
                while True:
                    await socket.recv()
        async with server.socket(of(session)) as socket:
            await socket.recv()  # the session goes on
            await server.http.delete(f"/v1/sessions/{session['id']}")
            with pytest.raises(websockets.ConnectionClosed, match="has ended"):
                while True:
                    await socket.recv()

    talk(live)


def test_the_numbers_are_the_same_however_the_sound_is_divided() -> None:
    avatar = CoefficientAvatar(a_puppet())
    whole, parts = FrameStream(avatar), FrameStream(avatar)
    first = [frame.image for frame in [*whole.push(SOUND), *whole.finish()]]
    pieces = [frame for start in range(0, len(SOUND), 999) for frame in parts.push(SOUND[start : start + 999])]
    second = [frame.image for frame in [*pieces, *parts.finish()]]
    assert np.allclose(first, second, atol=1e-5) and np.std(first, axis=0).max() > 0


def test_who_draws_the_avatar_chooses_what_is_behind_it() -> None:
    async def live(server: Server, session: dict) -> dict:
        async with server.socket(session) as events:
            await events.send('{"type": "session.update", "background": null}')
            await events.send('{"type": "session.update", "background": "green"}')
            return await heard(events, "error")

    assert "chooses what is behind" in talk(live)["detail"]
