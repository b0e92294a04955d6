"""Who may come in: the token, pages of other origins, names of other hosts, and how large a request may be."""

import secrets
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.problems import Problem, problem

_OPEN = ("/", "/assets/", "/player/", "/healthz", "/readyz")  # for anyone: the page asks for the token itself
_QUERY_TOKEN = ("/socket", "/coefficients", "/stream.mp4")  # opened by browsers, which cannot set headers there
_DIGITS = 20  # of a number that is worth reading
_POLICY = (
    "default-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; object-src 'none'; "
    "frame-ancestors 'none'"
)
SAFE_HEADERS = [  # of every answer: browsers run nothing of others in it, guess no types, and frame it nowhere
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def check_token(token: str) -> None:
    """Raises GaussianTalkerError for a token that keeps nobody out or that no client can send."""
    if not token:
        raise GaussianTalkerError(
            "The token is empty, perhaps since a variable is not set: give a secret, or no token."
        )
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise GaussianTalkerError("The token may hold ASCII letters, digits and signs only: clients send no others.")


def is_loopback(host: str) -> bool:
    """Whether this name or address can only be reached from this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class AccessMiddleware:
    """ASGI middleware in front of everything.

    Without a token the server is for this machine's user alone. A page of another origin in the same browser must
    then be kept out too: it could send requests and open sockets here, or reach the server under a name of its own
    that resolves to 127.0.0.1. So a request's `Origin` must be the server's own, and its `Host` a loopback name.
    """

    def __init__(self, app: ASGIApp, token: str | None, body_bytes: int) -> None:
        if token is not None:
            check_token(token)
        self._app, self._token, self._body_bytes = app, token, body_bytes
        self._too_long = f"A request's body may have {body_bytes} bytes at most."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        refusal = self._refusal(scope)
        if scope["type"] == "http":
            app = self._app if refusal is None else problem(*refusal)
            await app(scope, self._bounded(receive), _safely(send))
        else:
            app = self._app if refusal is None else WebSocketClose(1008, refusal[1])
            await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str, dict[str, str]] | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and (not host or _place(origin).netloc != host):
            return 403, "Requests from pages of other origins are not taken.", {}
        if self._token is None and not is_loopback(_place(f"//{host}").hostname or ""):
            return 403, "Without a token this server answers only to localhost.", {}
        if _number(headers.get("content-length", "0")) > self._body_bytes:
            return 413, self._too_long, {}
        if self._token is not None and not self._known(scope, headers):
            return 401, "Give the server's token as 'Authorization: Bearer TOKEN'.", {"WWW-Authenticate": "Bearer"}
        return None

    def _known(self, scope: Scope, headers: Headers) -> bool:
        path = scope["path"]
        if path == _OPEN[0] or path in _OPEN[3:] or path.startswith(_OPEN[1:3]):
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        if not given and path.endswith(_QUERY_TOKEN):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return self._token is not None and secrets.compare_digest(given.encode(), self._token.encode())

    def _bounded(self, receive: Receive) -> Receive:
        """Counts a body of unknown length. Raises Problem, in the handler that reads it, when it is too long."""
        left = self._body_bytes

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise Problem(413, self._too_long)
            return message

        return counted


def _place(address: str) -> SplitResult:
    """The parts of an address; of one that is none, nothing."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _number(text: str) -> float:
    """The number that decimal digits stand for; too many of them are infinite, and others nothing."""
    return 0 if not text.isdecimal() else int(text) if len(text) < _DIGITS else float("inf")


def _safely(send: Send) -> Send:
    """Adds to every answer the headers by which browsers keep it harmless."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *SAFE_HEADERS]}
        await send(message)

    return sent
