"""Sessions over HTTP: begun, found, limited and ended."""

import asyncio

import httpx
import pytest
from flash_and_beep import FlashAndBeep
from live import serving

from gaussiantalker.serving.app import build
from gaussiantalker.serving.limits import Limits


def client(limits: Limits | None = None, **avatars: FlashAndBeep) -> httpx.AsyncClient:
    app = build(avatars or {"flash": FlashAndBeep()}, limits=limits)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


def ask(*requests: tuple[str, str] | tuple[str, str, dict], **options) -> list[httpx.Response]:
    """The responses to requests that follow each other on one server."""

    async def talk() -> list[httpx.Response]:
        async with client(**options) as http:
            answers = []
            for method, path, *json in requests:
                path = path.format(*(answer.json().get("id") for answer in answers if answer.status_code == 201))
                answers.append(await http.request(method, path, json=json[0] if json else None))
            return answers

    return asyncio.run(talk())


def is_problem(answer: httpx.Response, status: int) -> bool:
    body = answer.json()
    known = answer.headers["content-type"] == "application/problem+json" and body["status"] == answer.status_code
    return known and answer.status_code == status and bool(body["title"]) and bool(body["detail"])


def test_a_session_has_the_addresses_of_everything() -> None:
    begun, health, ready = ask(("POST", "/v1/sessions"), ("GET", "/healthz"), ("GET", "/readyz"))
    facts = begun.json()
    assert begun.status_code == 201 and begun.headers["location"] == f"/v1/sessions/{facts['id']}"
    assert (facts["avatar"], facts["width"], facts["fps"], facts["sample_rate"]) == ("flash", 16, 25, 16_000)
    assert facts["lookahead_ms"] == 480
    for name, path in {"whep": "whep", "socket": "socket", "stream": "stream.mp4"}.items():
        assert facts[name] == f"/v1/sessions/{facts['id']}/{path}"
    assert (health.text, ready.text) == ("ok", "ok")


def test_avatars_are_listed_and_chosen_by_name() -> None:
    both = {"a": FlashAndBeep(16), "b": FlashAndBeep(32)}
    listed, chosen, first, unknown = ask(
        ("GET", "/v1/avatars"),
        ("POST", "/v1/sessions", {"avatar": "b"}),
        ("POST", "/v1/sessions", {}),
        ("POST", "/v1/sessions", {"avatar": "../../etc/passwd"}),
        **both,
    )
    assert listed.json()["avatars"][1] == {"name": "b", "width": 32, "height": 32, "method": "flash-and-beep"}
    assert (chosen.json()["width"], first.json()["avatar"]) == (32, "a")
    assert is_problem(unknown, 404)


def test_there_are_no_more_sessions_than_allowed() -> None:
    *_, one_too_many, full, ended, again = ask(
        ("POST", "/v1/sessions"),
        ("POST", "/v1/sessions"),
        ("POST", "/v1/sessions"),
        ("GET", "/readyz"),
        ("DELETE", "/v1/sessions/{0}"),
        ("POST", "/v1/sessions"),
        limits=Limits(sessions=2),
    )
    assert is_problem(one_too_many, 503) and one_too_many.headers["retry-after"]
    assert is_problem(full, 503)
    assert (ended.status_code, again.status_code) == (204, 201)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/v1/sessions/none", 404),
        ("GET", "/v1/sessions/none/stream.mp4", 404),
        ("POST", "/v1/sessions/none/whep", 404),
        ("DELETE", "/v1/sessions/none/whep/none", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/assets/../app.py", 404),
        ("GET", "/assets/%2e%2e/app.py", 404),
        ("PATCH", "/v1/sessions", 405),
    ],
)
def test_errors_are_problem_details(method: str, path: str, status: int) -> None:
    assert is_problem(ask((method, path))[0], status)


def test_a_request_that_makes_no_sense_is_told_what_is_wrong() -> None:
    (answer,) = ask(("POST", "/v1/sessions", {"avatar": 7}))
    assert is_problem(answer, 422) and "avatar" in answer.json()["detail"]


def test_the_interface_describes_itself() -> None:
    (answer,) = ask(("GET", "/openapi.json"))
    paths = answer.json()["paths"]
    assert "application/sdp" in paths["/v1/sessions/{id}/whep"]["post"]["requestBody"]["content"]
    assert {"/v1/avatars", "/v1/sessions", "/healthz", "/readyz", "/metrics"} <= set(paths)


def test_prometheus_can_read_the_metrics() -> None:
    *_, answer = ask(("POST", "/v1/sessions"), ("GET", "/metrics"))
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
    values = {name: float(value) for name, value in lines}
    assert values["gaussiantalker_sessions"] == values["gaussiantalker_sessions_total"] == 1
    assert 'gaussiantalker_stage_seconds{stage="rendering",quantile="0.95"}' in values


def test_sessions_left_alone_end_by_themselves() -> None:
    async def live() -> int:
        async with serving(limits=Limits(abandoned_seconds=0.02, sweep_seconds=0.02)) as server:
            await server.begin()
            async with asyncio.timeout(5):
                while len(server.sessions):
                    await asyncio.sleep(0.05)
            return server.sessions.counts.begun

    assert asyncio.run(live()) == 1
