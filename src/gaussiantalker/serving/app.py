"""The HTTP interface."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from gaussiantalker import __version__
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export.compact import compact
from gaussiantalker.export.web import PLAYER
from gaussiantalker.serving import problems
from gaussiantalker.serving.access import AccessMiddleware, check_token
from gaussiantalker.serving.coefficients import tell_coefficients
from gaussiantalker.serving.conversation import Conversation
from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.mp4 import LiveMp4Response
from gaussiantalker.serving.problems import Problem
from gaussiantalker.serving.session import PICTURES, Session, Shows
from gaussiantalker.serving.sessions import Sessions
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.mouths import scores_of
from gaussiantalker.timing import FPS, SAMPLE_RATE
from gaussiantalker.voice import Voice

_PAGE = Path(__file__).parent / "page"
_SDP = "application/sdp"
_PROBLEM = {"content": {problems.MEDIA_TYPE: {}}, "description": "What is wrong, as RFC 9457 says it."}


class AvatarFacts(BaseModel):
    """One avatar that this server has."""

    name: str
    width: int
    height: int
    method: str


class AvatarList(BaseModel):
    """All of them; the first is the default."""

    avatars: list[AvatarFacts]


class BackgroundList(BaseModel):
    """What an avatar may stand before, by name, beside its own room and any colour."""

    backgrounds: list[str]


class NewSession(BaseModel):
    """What a session is begun with."""

    avatar: str | None = None
    shows: Shows = PICTURES


class SessionFacts(BaseModel):
    """A session that has begun, and where to find it. The socket takes PCM16LE mono, at first at `sample_rate`.

    What it `shows` is at `whep` and `stream`, or at `coefficients`; `mouth` are the scores that move its mouth."""

    id: str
    avatar: str
    width: int
    height: int
    fps: int = FPS
    sample_rate: int = SAMPLE_RATE
    lookahead_ms: float
    shows: Shows
    reads: bool
    mouth: list[str]
    whep: str
    socket: str
    stream: str
    coefficients: str

    @classmethod
    def of(cls, session: Session) -> "SessionFacts":
        path, camera = f"/v1/sessions/{session.id}", session.avatar.camera
        return cls(
            id=session.id,
            avatar=session.name,
            width=camera.width,
            height=camera.height,
            lookahead_ms=round(1000 * session.stream.lookahead, 1),
            shows=session.shows,
            reads=session.reads,
            mouth=scores_of(session.avatar.listener),
            whep=f"{path}/whep",
            socket=f"{path}/socket",
            stream=f"{path}/stream.mp4",
            coefficients=f"{path}/coefficients",
        )


def build(
    avatars: Mapping[str, Avatar],
    token: str | None = None,
    limits: Limits | None = None,
    backgrounds: Mapping[str, Path] | None = None,
    voice: Voice | None = None,
) -> FastAPI:
    """The application that serves these avatars; without a token only to this machine. `backgrounds` are pictures and
    films by the names that clients choose them by. With a voice avatars read texts.

    Raises GaussianTalkerError for a token that is none.
    """
    if token is not None:
        check_token(token)
    limits = limits or Limits()
    sessions = Sessions(avatars, limits, backgrounds, voice)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keeping = asyncio.create_task(sessions.keep_house())
        yield
        keeping.cancel()
        await sessions.end_all()

    app = FastAPI(
        title="GaussianTalker",
        version=__version__,
        description="Avatars that speak live: what they show and say is AI-generated.",
        lifespan=lifespan,
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        responses={"4XX": _PROBLEM, "5XX": _PROBLEM},
    )
    app.state.sessions = sessions
    problems.handle(app)
    app.add_middleware(AccessMiddleware, token=token, body_bytes=limits.body_bytes)
    _add_health(app, sessions)
    _add_sessions(app, sessions)
    _add_media(app, sessions)
    _add_page(app)
    return app


def _add_health(app: FastAPI, sessions: Sessions) -> None:
    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        """Whether the server lives."""
        return "ok"

    @app.get("/readyz", response_class=PlainTextResponse)
    async def readyz() -> str:
        """Whether a session can be begun."""
        if sessions.full:
            raise Problem(503, "All sessions are taken.")
        return "ok"

    @app.get("/metrics")
    async def metrics() -> Response:
        """Counts and times for Prometheus."""
        return Response(sessions.metrics(), media_type="text/plain; version=0.0.4")


def _add_sessions(app: FastAPI, sessions: Sessions) -> None:
    @app.get("/v1/avatars")
    async def avatars() -> AvatarList:
        """The avatars that can be spoken with."""
        return AvatarList(
            avatars=[
                AvatarFacts(name=name, width=a.camera.width, height=a.camera.height, method=a.talker.method.name)
                for name, a in sessions.avatars.items()
            ]
        )

    @app.get("/v1/backgrounds")
    async def backgrounds() -> BackgroundList:
        """The pictures and films that avatars may stand before."""
        return BackgroundList(backgrounds=list(sessions.backgrounds))

    files: dict[str, bytes] = {}

    @app.get("/v1/avatars/{name}/file", response_class=Response)
    def file(name: str) -> Response:
        """What those who draw an avatar themselves need of it, as `export --to web` writes it."""
        if name not in sessions.avatars:
            raise Problem(404, "There is no avatar of this name.")
        try:
            files[name] = files.get(name) or compact(sessions.avatars[name])
        except GaussianTalkerError as error:
            raise Problem(422, str(error)) from None
        return Response(files[name], media_type="application/octet-stream")

    @app.post("/v1/sessions", status_code=201)
    async def begin(response: Response, wanted: NewSession | None = None) -> SessionFacts:
        """Begins a session: an avatar that is this client's own until it leaves."""
        wanted = wanted or NewSession()
        session = sessions.begin(wanted.avatar, wanted.shows)
        response.headers["Location"] = f"/v1/sessions/{session.id}"
        return SessionFacts.of(session)

    @app.delete("/v1/sessions/{id}", status_code=204)
    async def end(id: str) -> None:
        """Ends a session."""
        sessions.end(sessions.find(id), "The session was closed.")


def _add_media(app: FastAPI, sessions: Sessions) -> None:
    sdp = {"content": {_SDP: {"schema": {"type": "string"}}}, "required": True}

    @app.post("/v1/sessions/{id}/whep", status_code=201, openapi_extra={"requestBody": sdp})
    async def watch(id: str, request: Request) -> Response:
        """Watches over WebRTC (WHEP): an SDP offer for sound and video to receive, answered in full."""
        session = sessions.find(id)
        if request.headers.get("content-type", "").partition(";")[0].strip() != _SDP:
            raise Problem(415, f"Send the offer as {_SDP}.")
        offer = (await request.body()).decode(errors="replace")
        call, answer = await sessions.call(session, offer)
        location = f"/v1/sessions/{id}/whep/{call.id}"
        return Response(answer, 201, {"Location": location}, _SDP)

    @app.delete("/v1/sessions/{id}/whep/{call}", status_code=204)
    async def leave(id: str, call: str) -> None:
        """Ends watching; the session goes on."""
        sessions.find_call(call).close()

    @app.get("/v1/sessions/{id}/stream.mp4", status_code=200, response_class=LiveMp4Response)
    async def stream(id: str) -> LiveMp4Response:
        """Watches over plain HTTP: a fragmented mp4 that does not end before the session does."""
        return LiveMp4Response(sessions.find(id))

    @app.websocket("/v1/sessions/{id}/socket")
    async def talk(socket: WebSocket, id: str) -> None:
        await socket.accept()
        try:
            await Conversation(sessions.find(id), socket).run()
        except Problem as problem:
            await socket.close(1008, problem.detail)

    @app.websocket("/v1/sessions/{id}/coefficients")
    async def coefficients(socket: WebSocket, id: str, sound: bool = False) -> None:
        await socket.accept()
        try:
            await tell_coefficients(sessions.find(id), socket, sound)
        except Problem as problem:
            await socket.close(1008, problem.detail)


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(str(_PAGE / "index.html"))

    app.mount("/player", StaticFiles(directory=str(PLAYER)), name="player")
    app.mount("/assets", StaticFiles(directory=str(_PAGE)), name="assets")
