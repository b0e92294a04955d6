"""Connections that wait for nobody for ever: not for a request, not for a reader, and not for room."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gaussiantalker.serving.access import SAFE_HEADERS
from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.problems import problem

_GRACE = 3  # seconds that streams have to end when the server stops
_BODY = {b"content-length", b"transfer-encoding"}  # headers of requests that have one
_BACKLOG = 128  # connections that the system accepts ahead; all of them get a descriptor before one can be refused


def configuration(app: ASGIApp, limits: Limits, **options: Any) -> uvicorn.Config:
    """How uvicorn runs the application, with bounds on connections that it does not have itself."""
    http: Any = partial(_HttpConnection, limits=limits)
    ws: Any = partial(_SocketConnection, limits=limits)
    return uvicorn.Config(
        app,
        http=http,
        ws=ws,
        ws_max_size=limits.message_bytes,
        ws_per_message_deflate=False,  # sound does not shrink by it
        backlog=_BACKLOG,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        **{"timeout_graceful_shutdown": _GRACE, **options},
    )


class _Deadline:
    """Does something unless it is called off in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, does: Callable[[], None]) -> None:
        self._loop, self._seconds, self._does = loop, seconds, does
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Begins to wait, unless that has begun."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._does)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _HttpConnection(H11Protocol):
    """A connection for requests. One must come whole in time, and what is answered must be read.

    Where there are too many, the one that has asked for nothing longest gives way to a newcomer, so that
    thousands of half-sent requests keep nobody out.
    """

    def __init__(self, *args: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limits, self._since = limits, self.loop.time()
        late = f"A request must come whole within {limits.request_seconds:g} seconds."
        self._request = _Deadline(self.loop, limits.request_seconds, lambda: self._refuse(408, late))
        self._reading = _Deadline(self.loop, limits.read_seconds, self._abort)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        _at_once(transport)
        self._request.begin()
        if len(self.connections) > self._limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reading.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._request.end()
        self._reading.end()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._request.end()
        self._reading.end()
        if event.method != b"GET" or _BODY & {name for name, _ in self.headers}:
            return self._refuse(405, "A socket is opened by GET, without a body.", {"Allow": "GET"})
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "This is not a valid HTTP request.")

    def _watch(self) -> None:
        """The time for a request runs from its first byte to its last; sockets have another protocol by now."""
        if self.transport.get_protocol() is self and self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._request.begin()
        else:
            self._request.end()

    def _make_room(self) -> None:
        idle = [one for one in self.connections if isinstance(one, _HttpConnection) and one._is_idle]
        longest = min(idle, key=lambda one: one._since)
        if longest is self:
            self._refuse(503, "The server has as many connections as it can take.", {"Retry-After": "10"})
        else:
            longest._abort()

    @property
    def _is_idle(self) -> bool:
        """Whether nothing that was asked for is still to be answered."""
        return self.cycle is None or self.cycle.response_complete

    def _abort(self) -> None:
        self.connections.discard(self)  # at once, so that it gives way but once
        self.transport.abort()

    def _refuse(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        """Answers in place of the application, where nothing was answered yet, and hangs up."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        answer = problem(status, detail, headers)
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            head = [*answer.raw_headers, *SAFE_HEADERS, (b"connection", b"close")]
            reason = HTTPStatus(status).phrase.encode()
            with suppress(h11.LocalProtocolError):  # what answers HEAD has no body
                self.transport.write(self.conn.send(h11.Response(status_code=status, headers=head, reason=reason)))
                self.transport.write(self.conn.send(h11.Data(data=bytes(answer.body))))
        self.transport.close()


class _SocketConnection(WebSocketsSansIOProtocol):
    """A connection for sound and events, whose client must read what it is told."""

    def __init__(self, *args: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reading = _Deadline(self.loop, limits.read_seconds, lambda: self.transport.abort())

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reading.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reading.end()
        super().connection_lost(exc)

    def handle_ping(self) -> None:
        """Answers, unless answers to earlier ones are not read: they would pile up."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_parser_exception(self) -> None:
        if self.conn.close_sent is None:  # it was no opening request, so there is nobody to tell
            self.transport.close()
        else:
            super().handle_parser_exception()


def _at_once(transport: asyncio.BaseTransport) -> None:
    """Lets small answers go without waiting for the last to be acknowledged, which takes 40 ms."""
    connected = transport.get_extra_info("socket")
    if connected is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
