"""Who is let in."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import websockets
from flash_and_beep import FlashAndBeep
from live import serving

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.access import AccessMiddleware, is_loopback
from gaussiantalker.serving.app import build
from gaussiantalker.serving.limits import Limits


def status(path: str, headers: dict | None = None, token: str | None = None, **request) -> int:
    app = build({"flash": FlashAndBeep()}, token, Limits(body_bytes=100))

    async def ask() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8080") as http:
            answer = await http.request(request.pop("method", "GET"), path, headers=headers, **request)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
            return answer.status_code

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/assets/page.js"])
def test_the_page_itself_needs_no_token(path: str) -> None:
    assert status(path, token="secret") == 200


@pytest.mark.parametrize("path", ["/v1/avatars", "/metrics", "/openapi.json", "/assets", "/v1/sessions/x/stream.mp4"])
def test_everything_else_needs_the_token(path: str) -> None:
    assert status(path, token="secret") == 401
    assert status(path, {"Authorization": "Bearer secre"}, token="secret") == 401
    assert status(path, {"Authorization": "Bearer secret"}, token="secret") != 401


def test_the_token_may_stand_in_the_address_only_where_browsers_need_it() -> None:
    assert status("/v1/sessions/x/stream.mp4?token=secret", token="secret") == 404
    assert status("/v1/sessions/x/stream.mp4?token=wrong", token="secret") == 401
    assert status("/v1/avatars?token=secret", token="secret") == 401


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "http://localhost:8080"}, 200),
        ({"Origin": "http://localhost:9999"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "127.0.0.1:8080"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "rebound.example:8080"}, 403),
        ({"Host": "rebound.example", "Origin": "http://rebound.example"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Host": "["}, 403),
        ({"Host": "[", "Origin": "http://["}, 403),
        ({"Host": "", "Origin": ""}, 403),
    ],
)
def test_pages_of_others_are_kept_out(headers: dict, expected: int) -> None:
    assert status("/v1/avatars", headers) == expected


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "https://elsewhere.example"])
def test_a_malformed_origin_is_one_of_others_whatever_the_token(origin: str) -> None:
    assert status("/v1/avatars", {"Origin": origin, "Authorization": "Bearer s"}, token="s") == 403


@pytest.mark.parametrize("token", ["", "with space", "schlüssel", "密码", "new\nline", "\x7f"])
def test_a_token_that_keeps_nobody_out_or_that_nobody_can_send_is_refused(token: str) -> None:
    with pytest.raises(GaussianTalkerError, match="token"):
        build({"flash": FlashAndBeep()}, token)
    with pytest.raises(GaussianTalkerError, match="token"):
        AccessMiddleware(build({"flash": FlashAndBeep()}), token, 100)


def test_a_client_may_send_any_bytes_as_its_token() -> None:
    for given in ("Bearer schl\xfcssel", "bearer s", "Basic s", "Bearer", ""):
        expected = 200 if given == "bearer s" else 401
        assert status("/v1/avatars", {b"Authorization": given.encode("latin-1")}, token="s") == expected
    assert status("/v1/sessions/x/stream.mp4?token=%ff%00", token="s") == 401


@pytest.mark.parametrize("path", ["/", "/assets/page.js", "/v1/avatars", "/nowhere"])
def test_browsers_are_told_to_frame_nothing_and_to_guess_nothing(path: str) -> None:
    async def ask() -> httpx.Headers:
        app = build({"flash": FlashAndBeep()})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
            return (await http.get(path)).headers

    headers = asyncio.run(ask())
    assert headers["x-content-type-options"] == "nosniff"
    assert {"default-src 'self'", "frame-ancestors 'none'"} <= set(headers["content-security-policy"].split("; "))


def test_with_a_token_any_name_of_the_server_will_do() -> None:
    assert status("/v1/avatars", {"Host": "avatars.example", "Authorization": "Bearer s"}, token="s") == 200


def test_large_bodies_are_refused_whether_or_not_they_say_how_large() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b'"' + b" " * 9

    for content in (b" " * 200, pieces()):
        assert status("/v1/sessions", {"Content-Type": "application/json"}, method="POST", content=content) == 413


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "localhost.example.org"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_sockets_are_guarded_too() -> None:
    async def live() -> None:
        async with serving(token="secret") as server:
            server.http.headers["Authorization"] = "Bearer secret"
            session = await server.begin()
            for query, options in (
                ("", {}),
                ("?token=wrong", {}),
                ("?token=secret", {"origin": "http://evil.example"}),
            ):
                with pytest.raises(websockets.InvalidStatus, match="403"):
                    await server.socket(session, query, **options)
            async with server.socket(session, "?token=secret"):
                pass

    asyncio.run(live())
