"""The responses to errors: ``{"detail": one line}``, never a traceback."""

import logging

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from memtail_core.errors import (
    DamagedError,
    DatasetError,
    EstimationError,
    MemtailError,
    StoreError,
    StudyError,
    TrainingError,
)
from services.broker import BrokerError

log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[MemtailError], int], ...] = (  # the first that fits
    (BrokerError, 503),
    (DamagedError, 409),
    (StoreError, 503),
    (EstimationError, 409),
    (StudyError, 422),
    (DatasetError, 422),
    (TrainingError, 422),
)


class Problem(BaseModel):
    """What went wrong."""

    detail: str


_DESCRIPTIONS = {
    400: "The request cannot be read.",
    401: "The token is missing or wrong.",
    403: "No token is configured, so this is not allowed.",
    404: "Not found.",
    409: "The state of the study or the dashboard does not allow this.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    422: "The request is invalid; the detail says why.",
    429: "Too many requests; Retry-After says when to try again.",
    503: "The store or Redis cannot be reached, or the dashboard is busy.",
}


def described(*statuses: int) -> dict[int | str, dict[str, object]]:
    """These responses as the OpenAPI document describes them."""
    return {each: {"model": Problem, "description": _DESCRIPTIONS[each]} for each in statuses}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A response that says in one line what is wrong."""
    detail = " ".join(detail.split()).encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"detail": detail}, status, headers)


def install(app: FastAPI) -> None:
    """Let every error of ``app`` end in such a response."""

    @app.exception_handler(MemtailError)
    async def of_memtail(request: Request, error: MemtailError) -> JSONResponse:
        del request
        return problem(status_of(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def of_validation(request: Request, error: RequestValidationError) -> JSONResponse:
        del request
        return problem(422, _sentence(error))

    @app.exception_handler(StarletteHTTPException)
    async def of_http(request: Request, error: HTTPException) -> JSONResponse:
        del request
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def of_anything(request: Request, error: Exception) -> JSONResponse:
        del request, error  # uvicorn logs it with its traceback
        return problem(500, "internal error: see the log of the dashboard")


def status_of(error: MemtailError) -> int:
    """The HTTP status for an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 422)


def _sentence(error: RequestValidationError) -> str:
    """The first thing that is wrong, without the value that was sent."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"
