"""LiveKit's agent dispatch, from a stand-in for its server: a worker takes as many rooms as it has places, says so, and
ends when its rooms have ended. The real library runs between the two, where it is installed."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from importlib.util import find_spec
from unittest.mock import patch

import pytest
from flash_and_beep import FlashAndBeep

if not find_spec("livekit"):
    pytest.skip("livekit-agents is not installed", allow_module_level=True)

from aiohttp import web
from livekit.agents import JobContext
from livekit.protocol import agent

from gaussiantalker.cli.main import main
from gaussiantalker.serving.adapters import livekit_worker
from gaussiantalker.serving.adapters.livekit_worker import IDENTITY, AvatarWorker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
AVATARS = {"flash": FlashAndBeep(16), "large": FlashAndBeep(32)}


class Dispatcher:
    """LiveKit's side of the worker's socket: offers jobs, assigns what is accepted, keeps what it is told."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket, self.told, self.news = socket, [], asyncio.Condition()

    async def follow(self) -> None:
        async for message in self.socket:
            async with self.news:
                self.told.append(agent.WorkerMessage.FromString(message.data))
                self.news.notify_all()

    async def send(self, **what: object) -> None:
        await self.socket.send_bytes(agent.ServerMessage(**what).SerializeToString())

    async def hears(self, of: str, tells) -> object:
        """The newest message of this kind, as soon as it tells what is wanted."""

        def found():
            latest = [getattr(message, of) for message in self.told if message.WhichOneof("message") == of]
            return next((message for message in reversed(latest) if tells(message)), None)

        async with self.news:
            return await self.news.wait_for(found)

    async def offer(self, id: str, metadata: str = "") -> bool:
        """Whether the worker takes the job; then it is its own."""
        job = agent.Job(id=id, metadata=metadata, room={"name": id, "sid": id})
        await self.send(availability={"job": job})
        answer = await self.hears("availability", lambda answer: answer.job_id == id)
        if answer.available:
            assert answer.participant_identity == IDENTITY
            await self.send(assignment={"job": job, "token": "token", "url": "ws://127.0.0.1:1"})
            await self.hears("update_job", lambda update: update.job_id == id)
        return answer.available


@asynccontextmanager
async def dispatching(sessions: int):
    """A worker that has registered, and its dispatcher; the worker's run is the third."""
    arrived = asyncio.get_running_loop().create_future()

    async def agent_socket(request: web.Request) -> web.WebSocketResponse:
        await (socket := web.WebSocketResponse()).prepare(request)
        arrived.set_result(dispatcher := Dispatcher(socket))
        await dispatcher.send(register={"worker_id": "worker"})
        await dispatcher.follow()
        return socket

    app = web.Application()
    app.router.add_get("/agent", agent_socket)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = {"URL": f"ws://127.0.0.1:{runner.addresses[0][1]}", "API_KEY": "key", "API_SECRET": 32 * "secret"}
    with patch.dict(os.environ, {f"LIVEKIT_{name}": value for name, value in server.items()}):
        running = asyncio.create_task(AvatarWorker(AVATARS, sessions, "avatars").run())
        try:
            yield await arrived, running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await runner.cleanup()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The width of what is shown in each room. Rooms are entered without a network."""
    widths: dict[str, int] = {}

    class Runner:
        def __init__(self, room, *, audio_recv, video_gen, options) -> None:
            self.room, self.generator, self.width = room, video_gen, options.video_width

        async def start(self) -> None:
            frame = await anext(aiter(self.generator))
            assert frame.width == self.width
            widths[self.room.id] = frame.width

        async def aclose(self) -> None:
            del widths[self.room.id]

    async def connect(context: JobContext, **_: object) -> None:
        context.room.id = context.job.id
        context._on_connect()

    monkeypatch.setattr(livekit_worker, "AvatarRunner", Runner)
    monkeypatch.setattr(livekit_worker, "DataStreamAudioReceiver", lambda room: None)
    monkeypatch.setattr(JobContext, "connect", connect)
    return widths


async def becomes(wanted: dict[str, int], shown: dict[str, int]) -> None:
    while shown != wanted:
        await asyncio.sleep(0.02)


def test_it_takes_rooms_as_long_as_it_has_places_and_finishes_them(shown: dict[str, int]) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), dispatching(2) as (dispatcher, running):
            registered = await dispatcher.hears("register", lambda register: True)
            assert registered.agent_name == "avatars" and registered.type == agent.JobType.JT_ROOM
            assert not await dispatcher.offer("stranger", "nobody")
            assert await asyncio.gather(dispatcher.offer("a"), dispatcher.offer("b", "large")) == [True, True]
            await becomes({"a": 16, "b": 32}, shown)
            assert not await dispatcher.offer("c"), "both places are taken"
            full = await dispatcher.hears("update_worker", lambda update: update.job_count == 2)
            assert full.status == agent.WorkerStatus.WS_FULL and full.load == 1
            await dispatcher.send(termination={"job_id": "a"})
            await becomes({"b": 32}, shown)
            while not await dispatcher.offer(again := f"d{len(dispatcher.told)}"):
                await asyncio.sleep(0.1)  # until the place is free again
            await dispatcher.send(termination={"job_id": again})
            await becomes({"b": 32}, shown)
            os.kill(os.getpid(), signal.SIGTERM)
            full = agent.WorkerStatus.WS_FULL
            await dispatcher.hears("update_worker", lambda update: update.job_count == 1 and update.status == full)
            assert not await dispatcher.offer("e") and not running.done(), "it takes no more, and finishes what it has"
            await dispatcher.send(termination={"job_id": "b"})
            await running
            assert shown == {}

    asyncio.run(scene())


def test_three_at_once_get_two_places(shown: dict[str, int]) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), dispatching(2) as (dispatcher, _):
            taken = await asyncio.gather(*(dispatcher.offer(job) for job in "abc"))
            assert sorted(taken) == [False, True, True]

    asyncio.run(scene())


def test_a_server_that_is_not_named_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret")
    assert main(["livekit", "avatar"]) == 2
    assert "set LIVEKIT_URL, LIVEKIT_API_KEY." in capsys.readouterr().err
