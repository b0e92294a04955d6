"""Errors as RFC 9457 problem details."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """Something to tell a client, in a sentence."""


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The response. `type` is left out, which by the RFC means that `title` is the status' own phrase."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def handle(app: FastAPI) -> None:
    """Gives every error of the app this form, also those of the framework."""

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def misunderstood(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "; ".join(_where(fault) for fault in error.errors()))

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "The server failed at this request; its log says why.")


def _where(fault: dict) -> str:
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
